//! Commands beside a `watch` that runs: those that write one note do so at once, those that would be a second engine are
//! refused with the first one's process, and nothing is lost.

use std::process::Stdio;

use crate::support::{Place, ended, until};

const NOTE: &str = "10_features/02_new/FR-900 Dark mode.md";

/// A process that does not outlive its test.
struct Running(Option<std::process::Child>);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn commands_that_write_go_on_beside_watch_and_a_second_engine_is_refused() {
    let place = Place::vault();
    place.write(NOTE, "---\nid: FR-900\ntitle: Dark mode\nstatus: new\n---\n# Dark mode\n\nDark.\n");
    place.git(&place.vault, &["add", "."]);
    place.git(&place.vault, &["commit", "--quiet", "-m", "begin"]);
    let child = place.command(&["watch"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = child.id();
    let mut watch = Running(Some(child));
    let engine = || place.json(&["status"]).1["engine"].clone();
    until("watch works", || engine()["what"] == "watch");
    assert_eq!(engine()["pid"], pid);

    for second in [&["watch"][..], &["run"], &["sync"]] {
        let refused = place.run(second);
        assert_eq!(refused.code, 1, "{second:?}: {refused:?}");
        assert!(refused.err.contains(&pid.to_string()), "{second:?}: {refused:?}");
    }
    // Looks are not refused.
    assert_eq!(place.run(&["sync", "--check"]).code, 0);
    for round in 0..10 {
        place.ok(&["set", NOTE, &format!("priority={}", 1 + round % 4)]);
        place.ok(&["new", &format!("Request {round}")]);
    }
    place.ok(&["set", "00_system/Settings.md", "max_parallel=3"]);
    place.ok(&["set", NOTE, "status=ideas"]);
    until("the note is aligned", || place.vault.join(NOTE.replace("02_new", "01_ideas")).exists());
    let ids: std::collections::BTreeSet<String> = place.json(&["status", "--all"]).1["features"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|row| row["id"].as_str().map(str::to_owned))
        .collect();
    assert!(ids.len() >= 11, "each request has an id of its own: {ids:?}");
    assert_eq!(place.run(&["check"]).code, 0, "{:?}", place.run(&["check"]));

    place.git(&place.vault, &["fsck", "--strict", "--no-dangling"]);

    let sent = std::process::Command::new("kill").args(["-s", "TERM", &pid.to_string()]).status();
    assert!(sent.unwrap().success());
    let stopped = ended(watch.0.take().unwrap().wait_with_output().unwrap());
    assert_eq!(stopped.code, 0, "{stopped:?}");
    assert_eq!(place.run(&["sync", "--no-push"]).code, 0);
}
