//! The edit formats for models that are no good at tool calls.

use ado_vault::agents::{AgentAnswer, AgentError};
use serde_json::json;

use crate::bench::{Bench, says};

const GREET: &str = "fn greet() -> &'static str {\n    \"hi\"\n}\n";

#[tokio::test]
async fn search_and_replace_blocks_change_and_make_files() {
    let bench = Bench::new("coder", "search-replace", &[("src/greet.rs", GREET)]);
    let answer = "I say good day.\n\nsrc/greet.rs\n<<<<<<< SEARCH\n    \"hi\"\n=======\n    \"good day\"\n>>>>>>> REPLACE\n\n\
                  docs/greet.md\n<<<<<<< SEARCH\n=======\n# Greet\n>>>>>>> REPLACE\n";
    let outcome = bench.run(vec![says(answer)]).await;
    assert_eq!(outcome.summary(), "I say good day.");
    assert_eq!(bench.file("src/greet.rs"), GREET.replace("hi", "good day"));
    assert_eq!(bench.file("docs/greet.md"), "# Greet\n");
    assert!(outcome.asked[0].tools.is_empty());
    assert!(outcome.told(1).contains(": file src/greet.rs\nfn greet()"), "{}", outcome.told(1));
    assert!(outcome.told(1).contains("<<<<<<< SEARCH"));
    assert_eq!(bench.recorded(), [("apply".to_owned(), true), ("apply".to_owned(), true)]);
}

#[tokio::test]
async fn a_whole_file_in_a_fence_replaces_the_only_file_shown() {
    let bench = Bench::new("coder", "whole-file", &[("greet.py", "print('hi')\n")]);
    let outcome = bench.run(vec![says("```python\nprint('good day')\n```")]).await;
    assert_eq!(outcome.summary(), "Changed greet.py.");
    assert_eq!(bench.file("greet.py"), "print('good day')\n");
}

#[tokio::test]
async fn the_plans_files_are_shown_and_others_on_demand() {
    let mut bench = Bench::new("coder", "whole-file", &[("a.py", "a = 1\n"), ("b.py", "b = 2\n")]);
    bench.request.plan = serde_json::from_value(
        json!({"summary": "s", "files": [{"path": "a.py", "change": "more"}], "steps": []}),
    )
    .unwrap();
    let outcome = bench
        .run(vec![
            says("READ b.py\nREAD ../outside.txt"),
            says("**a.py**\n```python\na = 2\n```\n`b.py`:\n```\nb = 3\n```"),
        ])
        .await;
    assert!(outcome.told(1).contains("file a.py") && !outcome.told(1).contains("file b.py"));
    assert!(
        outcome.told(2).contains(": file b.py\nb = 2\n") && outcome.told(2).contains("error: "),
        "{}",
        outcome.told(2)
    );
    assert!(!outcome.told(2).contains("outside\n"));
    assert_eq!((bench.file("a.py"), bench.file("b.py")), ("a = 2\n".into(), "b = 3\n".into()));
}

#[tokio::test]
async fn what_cannot_be_applied_is_sent_back_with_the_file() {
    let bench = Bench::new("coder", "search-replace", &[("a.txt", "one\ntwo\n"), ("b.txt", "b\n")]);
    let block = |path: &str, old: &str, new: &str| {
        format!("{path}\n<<<<<<< SEARCH\n{old}\n=======\n{new}\n>>>>>>> REPLACE\n")
    };
    let first = block("a.txt", "tow", "2") + &block("b.txt", "b", "c");
    let outcome = bench.run(vec![says(&first), says(&block("a.txt", "two", "2"))]).await;
    assert!(outcome.told(2).contains("`a.txt`: the text above ======= was not found"), "{}", outcome.told(2));
    assert!(outcome.told(2).contains(": file a.txt\none\ntwo\n"));
    assert_eq!((bench.file("a.txt"), bench.file("b.txt")), ("one\n2\n".into(), "c\n".into()));
    assert_eq!(outcome.summary(), "Changed a.txt, b.txt.");
}

#[tokio::test]
async fn blocks_that_never_fit_end_in_an_error_unless_some_were_applied() {
    let bad = || says("a.txt\n<<<<<<< SEARCH\nnowhere\n=======\nx\n>>>>>>> REPLACE\n");
    let bench = Bench::new("coder", "search-replace", &[("a.txt", "one\n")]);
    let outcome = bench.run(vec![bad(), bad(), bad()]).await;
    assert!(matches!(outcome.answer, Err(AgentError::BadAnswer { .. })), "{:?}", outcome.answer);
    let good =
        says("a.txt\n<<<<<<< SEARCH\none\n=======\n1\n>>>>>>> REPLACE\n\nb\n<<<<<<< SEARCH\nx\n=======\ny\n");
    let outcome = bench.run(vec![good, bad(), bad()]).await;
    assert!(outcome.summary().contains("Not applied:"), "{}", outcome.summary());
    assert_eq!(bench.file("a.txt"), "1\n");
}

#[tokio::test]
async fn blocks_cannot_leave_the_worktree_or_cut_files_short() {
    let bench = Bench::new("coder", "whole-file", &[("a.txt", "one\ntwo\n")]);
    let answers = [
        "../outside.txt\n```\nx\n```",
        ".git/config\n```\nx\n```",
        "a.txt\n```\n1\n// ... rest of the file unchanged\n```",
        "a.txt\n```\n1\n",
    ];
    for answer in answers {
        let outcome = bench.run(vec![says(answer), says(answer), says(answer)]).await;
        assert!(
            matches!(outcome.answer, Err(AgentError::BadAnswer { .. })),
            "{answer}: {:?}",
            outcome.answer
        );
    }
    assert_eq!(bench.file("a.txt"), "one\ntwo\n");
    assert_eq!(std::fs::read_to_string(bench.folder.path().join("outside.txt")).unwrap(), "outside\n");
}

#[tokio::test]
async fn nothing_to_change_is_an_answer() {
    let bench = Bench::new("coder", "whole-file", &[("a.txt", "one\n")]);
    let outcome = bench.run(vec![says("{\"summary\": \"It already greets.\"}")]).await;
    assert_eq!(outcome.summary(), "It already greets.");
}

#[tokio::test]
async fn a_reviewer_without_tools_answers_in_json_and_sees_the_changed_files() {
    let mut bench = Bench::new("reviewer", "whole-file", &[("a.rs", "fn a() {}\n"), ("b.rs", "fn b() {}\n")]);
    bench.diff = "--- a/a.rs\n+++ b/a.rs\n@@ -1 +1 @@\n-x\n+fn a() {}\n".into();
    let bad = "```json\n{\"verdict\": \"perhaps\", \"summary\": \"s\"}\n```";
    let good = "Here it is:\n```json\n{\"verdict\": \"request_changes\", \"summary\": \"s\", \"findings\": \
                [{\"severity\": \"error\", \"file\": \"a.rs\", \"line\": 1, \"message\": \"empty\"}]}\n```";
    let outcome = bench.run(vec![says(bad), says(good)]).await;
    assert!(outcome.told(1).contains("file a.rs") && !outcome.told(1).contains("file b.rs"));
    assert!(outcome.told(1).contains("\"verdict\""), "the schema is shown");
    assert!(outcome.told(2).contains("`/verdict`"), "{}", outcome.told(2));
    let Ok(AgentAnswer::Review(review)) = outcome.answer else { panic!("no review") };
    assert_eq!(review.findings[0].message, "empty");
}

#[tokio::test]
async fn a_small_context_gets_a_small_prompt() {
    let long = "word ".repeat(40_000);
    let mut bench = Bench::new("coder", "whole-file", &[("a.txt", "one\n"), ("huge.txt", &long)]);
    bench.model["context_tokens"] = json!(8000);
    bench.request.feature.body = long.clone();
    let outcome = bench.run(vec![says("a.txt\n```\ntwo\n```")]).await;
    assert_eq!(outcome.summary(), "Changed a.txt.");
    let prompt = outcome.told(1);
    assert!(prompt.len() < 8000 * 3, "{} bytes", prompt.len());
    assert!(prompt.contains("bytes left out") && prompt.contains("file a.txt"));
}
