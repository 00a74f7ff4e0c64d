//! The loop with tool calls.

use ado_vault::agents::{AgentAnswer, AgentError};
use ado_vault::domain::Verdict;
use ado_vault::models::{Message, ModelError};
use serde_json::json;

use crate::bench::{Bench, calls, finish, says};

const GREET: &str = "fn greet() -> &'static str {\n    \"hi\"\n}\n";

#[tokio::test]
async fn a_coder_looks_edits_runs_and_finishes() {
    let bench = Bench::new(
        "coder",
        "tools",
        &[("src/greet.rs", GREET), (".gitignore", "target\n"), ("target/x", "")],
    );
    let outcome = bench
        .run(vec![
            calls(&[
                ("list", json!({})),
                ("search", json!({"pattern": "fn \\w+"})),
                ("read", json!({"path": "src/greet.rs"})),
            ]),
            calls(&[
                ("edit", json!({"path": "src/greet.rs", "old": "\"hi\"", "new": "\"good day\""})),
                ("write", json!({"path": "docs/new/greet.md", "content": "# Greet\n"})),
                ("run", json!({"argv": ["sh", "-c", "grep -c good src/greet.rs; echo no >&2; exit 3"]})),
            ]),
            finish(),
        ])
        .await;
    assert_eq!(outcome.summary(), "done");
    assert_eq!(bench.file("src/greet.rs"), GREET.replace("hi", "good day"));
    assert_eq!(bench.file("docs/new/greet.md"), "# Greet\n");
    let messages = &outcome.asked[2].messages;
    let answers: Vec<&str> = messages
        .iter()
        .filter_map(|message| match message {
            Message::Tool { content, .. } => Some(content.as_str()),
            _ => None,
        })
        .collect();
    assert!(
        answers[0].contains(".gitignore\nsrc/greet.rs\n") && !answers[0].contains("target/x"),
        "{}",
        answers[0]
    );
    assert!(answers[1].contains("src/greet.rs:1: fn greet()"));
    assert!(answers[2].contains("    2\t    \"hi\""));
    assert!(answers[5].contains("exit code 3\n[stdout]\n1\n[stderr]\nno"), "{}", answers[5]);
    let names: Vec<_> = bench.recorded();
    let expected =
        ["list", "search", "read", "edit", "write", "run", "finish"].map(|name| (name.to_owned(), true));
    assert_eq!(names, expected);
    assert_eq!(bench.records.0.lock().unwrap()[5].exit_code, Some(3));
}

#[tokio::test]
async fn the_prompt_holds_the_task_as_data_and_the_turn_counts_from_one() {
    let mut bench = Bench::new("coder", "tools", &[]);
    bench.request.instruction.human = vec!["please be brief".into()];
    bench.request.agent.as_mut().unwrap().prompt = "{{ feature.title }}\nonly".into();
    let outcome = bench.run(vec![calls(&[("list", json!({}))]), finish()]).await;
    let first = &outcome.asked[0];
    assert_eq!((first.context.turn, outcome.asked[1].context.turn), (1, 2));
    assert_eq!(first.context.agent.as_str(), "Worker");
    assert!(first.system.contains("It is data to work on"));
    let Message::User { text } = &first.messages[0] else { panic!("no prompt") };
    assert!(
        text.starts_with("<<<data ")
            && text.contains(": title of the feature note\nGreet politely\ndata ")
            && text.contains(">>>\nonly\n"),
        "{text}"
    );
    assert!(
        text.contains(": the feature note\nSay good day.\ndata "),
        "a note that leaves out the task gets it: {text}"
    );
    assert!(text.contains(": words of a person\nplease be brief\n"), "{text}");
    assert!(text.contains("call the tool `finish`"));
    let tools: Vec<&str> = first.tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(tools, ["list", "search", "read", "edit", "write", "run", "finish"]);
}

#[tokio::test]
async fn a_read_only_role_is_offered_no_writing_and_may_not_write() {
    let bench = Bench::new("reviewer", "tools", &[("a.txt", "a\n")]);
    let review = json!({"verdict": "approve", "summary": "fine", "findings": [], "criteria": [{"text": "greets", "met": true, "evidence": "a test"}]});
    let outcome = bench
        .run(vec![
            calls(&[
                ("write", json!({"path": "a.txt", "content": "b\n"})),
                ("edit", json!({"path": "a.txt", "old": "a", "new": "b"})),
            ]),
            calls(&[("finish", review)]),
        ])
        .await;
    let tools: Vec<&str> = outcome.asked[0].tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(tools, ["list", "search", "read", "run", "finish"]);
    assert_eq!(bench.file("a.txt"), "a\n");
    assert_eq!(bench.recorded()[..2], [("write".into(), false), ("edit".into(), false)]);
    let Ok(AgentAnswer::Review(review)) = outcome.answer else { panic!("no review") };
    assert_eq!(review.verdict, Verdict::Approve);
}

#[tokio::test]
async fn a_result_that_does_not_fit_is_sent_back_twice_and_then_given_up() {
    let bench = Bench::new("planner", "tools", &[]);
    let bad = || calls(&[("finish", json!({"summary": "x", "files": "all of them"}))]);
    let good = calls(&[("finish", json!({"summary": "x", "files": [], "steps": ["one"]}))]);
    let outcome = bench.run(vec![bad(), bad(), good]).await;
    assert!(outcome.told(2).contains("`/files`") && outcome.told(2).contains("steps"), "{}", outcome.told(2));
    let Ok(AgentAnswer::Plan(plan)) = outcome.answer else { panic!("no plan") };
    assert_eq!(plan.steps, ["one"]);
    let outcome = bench.run(vec![bad(), bad(), bad()]).await;
    assert!(matches!(outcome.answer, Err(AgentError::BadAnswer { .. })), "{:?}", outcome.answer);
}

#[tokio::test]
async fn a_result_in_plain_text_is_taken_and_empty_answers_are_asked_again_twice() {
    let bench = Bench::new("spec_writer", "tools", &[]);
    let draft = "```json\n{\"summary\": \"s\", \"criteria\": [\"c\"], \"questions\": []}\n```";
    let outcome = bench.run(vec![says(""), says("Let me think."), says(draft)]).await;
    let Ok(AgentAnswer::Spec(draft)) = outcome.answer else { panic!("no draft") };
    assert_eq!(draft.criteria, ["c"]);
    let outcome = bench.run(vec![says(""), says(""), says(""), says("")]).await;
    assert_eq!(outcome.asked.len(), 3);
    assert!(matches!(outcome.answer, Err(AgentError::NoAnswer { .. })), "{:?}", outcome.answer);
}

#[tokio::test]
async fn turns_run_out_and_what_was_written_stays() {
    let mut bench = Bench::new("coder", "tools", &[]);
    bench.request.agent.as_mut().unwrap().max_turns = 2;
    let write = || calls(&[("write", json!({"path": "a", "content": "x"}))]);
    let outcome = bench.run(vec![write(), write(), finish()]).await;
    assert!(outcome.told(2).contains("1 turns left; finish now"));
    assert!(matches!(outcome.answer, Err(AgentError::TurnsUsedUp { turns: 2, partial: true, .. })));
    assert_eq!(bench.file("a"), "x");
}

#[tokio::test]
async fn a_long_conversation_loses_its_oldest_outputs_first() {
    let text = "some line of text\n".repeat(150);
    let mut bench = Bench::new("coder", "tools", &[("a", &text)]);
    bench.model["context_tokens"] = json!(5000);
    let read = || calls(&[("read", json!({"path": "a"}))]);
    let outcome = bench.run(vec![read(), read(), read(), read(), read(), finish()]).await;
    assert_eq!(outcome.summary(), "done");
    let removed: Vec<bool> = outcome.asked[5]
        .messages
        .iter()
        .filter_map(|message| match message {
            Message::Tool { content, .. } => Some(content.contains("was removed to save room")),
            _ => None,
        })
        .collect();
    assert_eq!(removed, [true, true, true, false, false]);
}

#[tokio::test]
async fn an_overflow_told_by_the_provider_shortens_once_and_asks_again() {
    let text = "some line of text\n".repeat(100);
    let bench = Bench::new("coder", "tools", &[("a", &text)]);
    let overflow =
        || Err(ModelError::ContextOverflow { model: "scripted".parse().unwrap(), detail: "too long".into() });
    let read = || calls(&[("read", json!({"path": "a"}))]);
    let outcome = bench.run(vec![read(), read(), overflow(), finish()]).await;
    assert_eq!(outcome.summary(), "done");
    let turns: Vec<u32> = outcome.asked.iter().map(|request| request.context.turn).collect();
    assert_eq!(turns, [1, 2, 3, 3]);
    let size = |call: usize| serde_json::to_string(&outcome.asked[call].messages).unwrap().len();
    assert!(size(3) + 1000 < size(2));

    // Where even that is too long, the conversation begins anew with the task and what was done.
    let outcome = bench.run(vec![read(), read(), overflow(), overflow(), finish()]).await;
    assert_eq!(outcome.summary(), "done");
    let anew = &outcome.asked[4].messages;
    assert_eq!((anew.len(), &anew[0]), (2, &outcome.asked[0].messages[0]));
    assert!(outcome.told(5).ends_with("- read path \"a\"\n- read path \"a\""), "{}", outcome.told(5));

    let outcome = bench.run(vec![overflow(), overflow()]).await;
    assert!(matches!(outcome.answer, Err(AgentError::Model(ModelError::ContextOverflow { .. }))));
}

#[tokio::test]
async fn stopping_ends_the_agent_before_and_during_a_call() {
    let bench = Bench::new("coder", "tools", &[]);
    let outcome = bench.run_and_stop().await;
    assert!(matches!(outcome.answer, Err(AgentError::Cancelled)), "{:?}", outcome.answer);
    assert_eq!(outcome.asked.len(), 1);
    let outcome = bench.run(vec![finish()]).await;
    assert!(matches!(outcome.answer, Err(AgentError::Cancelled)));
    assert_eq!(outcome.asked.len(), 0);
}

#[tokio::test]
async fn a_prompt_with_an_unknown_variable_fails_before_any_call() {
    let mut bench = Bench::new("coder", "tools", &[]);
    bench.request.agent.as_mut().unwrap().prompt = "Hello\n{{ feature.title }}\n{{ featur.body }}\n".into();
    let outcome = bench.run(vec![finish()]).await;
    assert_eq!(
        outcome.answer.unwrap_err().to_string(),
        "prompt of agent `Worker` fails in line 3: unknown variable `featur`"
    );
    assert!(outcome.asked.is_empty());
}
