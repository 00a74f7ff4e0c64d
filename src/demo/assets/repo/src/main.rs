//! `textstat FILE...`: a line for each file, and a total for more than one.

use std::process::ExitCode;

use textstat::Stats;

const USAGE: &str = "usage: textstat FILE...";

fn main() -> ExitCode {
    let files: Vec<String> = std::env::args().skip(1).collect();
    if files.is_empty() {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    }

    let mut total = Stats::default();
    let mut failed = false;
    for file in &files {
        match std::fs::read_to_string(file) {
            Ok(text) => {
                let stats = Stats::of(&text);
                print_stats(stats, file);
                total = total + stats;
            }
            Err(error) => {
                eprintln!("textstat: cannot read `{file}`: {error}");
                failed = true;
            }
        }
    }
    if files.len() > 1 {
        print_stats(total, "total");
    }
    if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn print_stats(stats: Stats, name: &str) {
    println!(
        "{:>8}{:>8}{:>8} {name}",
        stats.lines, stats.words, stats.chars
    );
}
