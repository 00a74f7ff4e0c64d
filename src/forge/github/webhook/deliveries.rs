//! Deliveries that were taken, so that none is taken twice: the last ones, also over a restart. A cache: where it cannot be
//! written, a restart forgets them.

use std::collections::{HashSet, VecDeque};
use std::io::Write;
use std::path::PathBuf;

/// Names that are remembered.
const MOST: usize = 4_000;

pub(super) struct Deliveries {
    file: PathBuf,
    order: VecDeque<String>,
    known: HashSet<String>,
    /// Lines of the file.
    lines: usize,
}

impl Deliveries {
    /// `file` is read once, and written from then on.
    pub fn read(file: PathBuf) -> Self {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let mut deliveries = Self { file, order: VecDeque::new(), known: HashSet::new(), lines: 0 };
        for line in text.lines().filter(|line| !line.is_empty()) {
            deliveries.lines += 1;
            deliveries.remember(line.to_owned());
        }
        deliveries
    }

    /// Whether none of these names was seen before; from now on they were.
    pub fn are_new(&mut self, names: [String; 2]) -> bool {
        if names.iter().any(|name| self.known.contains(name)) {
            return false;
        }
        let text: String = names.iter().map(|name| format!("{name}\n")).collect();
        names.into_iter().for_each(|name| self.remember(name));
        self.lines += 2;
        if let Err(error) = self.write(&text) {
            tracing::warn!(%error, "deliveries are not remembered over a restart");
        }
        true
    }

    fn remember(&mut self, name: String) {
        if self.known.insert(name.clone()) {
            self.order.push_back(name);
        }
        while self.order.len() > MOST {
            self.order.pop_front().map(|oldest| self.known.remove(&oldest));
        }
    }

    /// Adds to the file, or writes it anew when most of it is forgotten.
    fn write(&mut self, text: &str) -> std::io::Result<()> {
        if let Some(folder) = self.file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        if self.lines <= 2 * MOST {
            return std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(&self.file)?
                .write_all(text.as_bytes());
        }
        self.lines = self.order.len();
        let kept: String = self.order.iter().map(|name| format!("{name}\n")).collect();
        let fresh = self.file.with_extension("new");
        std::fs::write(&fresh, kept)?;
        std::fs::rename(fresh, &self.file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(number: usize) -> [String; 2] {
        [format!("delivery-{number}"), format!("{number:032x}")]
    }

    #[test]
    fn a_delivery_is_new_once_also_after_a_restart_and_memory_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deliveries");
        let mut deliveries = Deliveries::read(file.clone());
        assert!(deliveries.are_new(names(1)));
        assert!(!deliveries.are_new(names(1)));
        assert!(!deliveries.are_new(["another-name".into(), names(1)[1].clone()]), "known by its signature");
        assert!(!Deliveries::read(file.clone()).are_new(names(1)));
        for number in 2..3 * MOST {
            assert!(deliveries.are_new(names(number)));
        }
        assert_eq!((deliveries.order.len(), deliveries.known.len()), (MOST, MOST));
        let lines = std::fs::read_to_string(&file).unwrap().lines().count();
        assert!((MOST..=2 * MOST + 2).contains(&lines), "{lines}");
        assert!(!Deliveries::read(file).are_new(names(3 * MOST - 1)));
    }
}
