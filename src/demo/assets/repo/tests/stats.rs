//! The program as a user runs it.

use std::path::Path;
use std::process::Command;

fn file(name: &str, text: &str) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn textstat(args: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_textstat"))
        .args(args)
        .output()
        .unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
    )
}

#[test]
fn a_file_is_counted() {
    let path = file("counted.txt", "one two\nthree\n");
    let (code, out) = textstat(&[&path]);
    assert_eq!(code, 0);
    assert_eq!(out, format!("       2       3      14 {path}\n"));
}

#[test]
fn several_files_have_a_total() {
    let first = file("first.txt", "a b\n");
    let second = file("second.txt", "c\n");
    let (_, out) = textstat(&[&first, &second]);
    assert!(out.ends_with("       2       3       6 total\n"), "{out}");
}

#[test]
fn an_unreadable_file_does_not_hide_the_others() {
    let path = file("readable.txt", "a\n");
    let (code, out) = textstat(&["no-such-file.txt", &path]);
    assert_eq!(code, 1);
    assert!(out.contains("readable.txt"), "{out}");
}
