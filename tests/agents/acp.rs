//! Agents that speak the Agent Client Protocol: a small one that asks for permission, works and tells of it, and others
//! that break off, say what is no protocol, or fill the line.

use ado_vault::agents::{AgentAnswer, AgentError};
use ado_vault::domain::Backend;
use serde_json::json;

use crate::bench::{Bench, says};
use crate::external::with_program;

/// Answers `initialize` and `session/new`, then calls `work ID` for every prompt. `allowed KIND TITLE PATH INPUT` asks for
/// permission and tells whether it was given.
const SPEAK: &str = r#"
id_of() { printf '%s' "$1" | sed 's/.*"id":\("[^"]*"\|[0-9]*\).*/\1/'; }
say() { printf '%s\n' "$1"; }
answer() { say "{\"jsonrpc\":\"2.0\",\"id\":$1,\"result\":$2}"; }
update() { say "{\"jsonrpc\":\"2.0\",\"method\":\"session/update\",\"params\":{\"sessionId\":\"s\",\"update\":$1}}"; }
tell() { update "{\"sessionUpdate\":\"agent_message_chunk\",\"content\":{\"type\":\"text\",\"text\":\"$1\"}}"; }
allowed() {
    say "{\"jsonrpc\":\"2.0\",\"id\":77,\"method\":\"session/request_permission\",\"params\":{\"sessionId\":\"s\",\"toolCall\":{\"toolCallId\":\"t\",\"kind\":\"$1\",\"title\":\"$2\",\"locations\":[$3],\"rawInput\":$4},\"options\":[{\"optionId\":\"forever\",\"name\":\"Always\",\"kind\":\"allow_always\"},{\"optionId\":\"once\",\"name\":\"Once\",\"kind\":\"allow_once\"},{\"optionId\":\"no\",\"name\":\"No\",\"kind\":\"reject_once\"}]}}"
    IFS= read -r line
    case $line in *'"optionId":"once"'*) return 0;; *) return 1;; esac
}
serve() {
    while IFS= read -r line; do
        case $line in
            *'"method":"initialize"'*) answer "$(id_of "$line")" '{"protocolVersion":1,"agentCapabilities":{}}';;
            *'"method":"session/new"'*) answer "$(id_of "$line")" '{"sessionId":"s"}';;
            *'"method":"session/prompt"'*) work "$(id_of "$line")" "$line";;
        esac
    done
}
"#;

fn acp(role: &str, script: &str) -> Option<Bench> {
    with_program(role, Backend::Acp, &format!("{SPEAK}\n{script}\nserve"))
}

#[tokio::test]
async fn an_agent_works_in_its_session_and_is_allowed_what_its_note_names() {
    let script = r#"
        work() {
            ask chat/completions "$question" | words > asked.txt
            tell 'thinking about it'
            allowed edit 'write greeting' "{\"path\":\"$PWD/greeting.txt\"}" null && echo hello > greeting.txt
            update '{"sessionUpdate":"tool_call","toolCallId":"t","title":"write greeting","kind":"edit","status":"in_progress"}'
            update '{"sessionUpdate":"tool_call_update","toolCallId":"t","status":"completed","content":[{"type":"content","content":{"type":"text","text":"written"}}]}'
            allowed execute 'run it' '' '{"command":"echo hi && curl x"}' && echo ran > ran.txt
            allowed execute 'run it' '' '{"command":"echo hi"}' && echo ran > echoed.txt
            allowed edit 'git' "{\"path\":\"$PWD/.git\"}" null && echo x > stolen.txt
            allowed edit 'ci' "{\"path\":\"$PWD/.github/workflows/ci.yml\"}" null && echo x > stolen.txt
            allowed edit 'planned' "{\"path\":\"$PWD/deploy/main.tf\"}" null && echo x > planned.txt
            tell 'wrote '; tell 'the greeting'
            answer "$1" '{"stopReason":"end_turn"}'
        }
    "#;
    let Some(mut bench) = acp("coder", script) else { return };
    bench.request.sensitive_paths = vec!["**/.github/workflows/**".into(), "**/*.tf".into()];
    let plan = json!({"summary": "", "steps": [], "files": [{"path": "deploy/main.tf", "change": "more"}]});
    bench.request.plan = serde_json::from_value(plan).unwrap();
    let outcome = bench.run(vec![says("go on")]).await;
    assert_eq!((outcome.summary(), bench.file("planned.txt").as_str()), ("wrote the greeting", "x\n"));
    let files = ["asked.txt", "greeting.txt", "echoed.txt"].map(|file| bench.file(file));
    assert_eq!(files, ["go on", "hello\n", "ran\n"]);
    assert!(bench.file("ran.txt").is_empty() && bench.file("stolen.txt").is_empty());
    let recorded = bench.recorded();
    let recorded: Vec<(&str, bool)> = recorded.iter().map(|(tool, ok)| (tool.as_str(), *ok)).collect();
    assert_eq!(
        recorded,
        [
            ("permission", true),
            ("edit", true),
            ("permission", false),
            ("permission", true),
            ("permission", false),
            ("permission", false),
            ("permission", true),
            ("agent", true)
        ]
    );
    let records = bench.records.0.lock().unwrap();
    assert_eq!(records[1].output, "written");
    assert_eq!(records[2].output, "refused: `curl` is not among the agent note's `commands`");
    assert_eq!(
        records[5].output,
        "refused: `.github/workflows/ci.yml` is sensitive by the policy, and neither the request nor the plan names it"
    );
    assert!(!records[7].output.contains("jsonrpc"), "{}", records[7].output);
}

#[tokio::test]
async fn a_review_is_taken_from_the_last_words_and_asked_for_again_in_the_same_session() {
    let review = json!({"verdict": "approve", "summary": "fine", "findings": [],
        "criteria": [{"text": "greets", "met": true, "evidence": "old.txt:1"}]});
    let quoted = review.to_string().replace('"', "\\\\\\\"");
    let script = format!(
        r#"
        work() {{
            case $2 in
                *'does not fit'*) tell "{quoted}";;
                *) ask chat/completions "$question" > /dev/null; tell 'looks good';;
            esac
            answer "$1" '{{"stopReason":"end_turn"}}'
        }}
        "#
    );
    let Some(bench) = acp("reviewer", &script) else { return };
    match bench.run(vec![says("hm")]).await.answer {
        Ok(AgentAnswer::Review(review)) => assert_eq!(review.summary, "fine"),
        other => panic!("{other:?}"),
    }
    assert_eq!(bench.recorded().len(), 1, "one program for both turns: {:?}", bench.recorded());
}

#[tokio::test]
async fn an_agent_that_breaks_off_did_not_finish_and_the_reason_is_told() {
    for (work, reason) in [
        ("ask chat/completions \"$question\" > /dev/null; echo 'out of luck' >&2; exit 3", "out of luck"),
        (
            "ask chat/completions \"$question\" > /dev/null; answer \"$1\" '{\"stopReason\":\"refusal\"}'",
            "`refusal`",
        ),
        (
            "ask chat/completions \"$question\" > /dev/null; say \"{\\\"jsonrpc\\\":\\\"2.0\\\",\\\"id\\\":$1,\\\"error\\\":{\\\"code\\\":-32000,\\\"message\\\":\\\"not today\\\"}}\"",
            "not today",
        ),
    ] {
        let Some(bench) = acp("coder", &format!("work() {{ {work}; }}")) else { return };
        match bench.run(vec![says("go on")]).await.answer {
            Err(AgentError::Unfinished { reason: told, .. }) => {
                assert!(told.contains(reason), "{reason}: {told}")
            }
            other => panic!("{reason}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn an_agent_that_says_what_is_no_protocol_is_ended() {
    let Some(mut bench) = acp("coder", "head -c 20000000 /dev/zero | tr '\\0' x; echo; sleep 600; exit 0")
    else {
        return;
    };
    bench.request.agent.as_mut().unwrap().stall_seconds = 2;
    let answer = bench.run(vec![]).await.answer;
    assert!(matches!(&answer, Err(AgentError::Unfinished { .. })), "{answer:?}");
}
