//! The repository `tally`, a shell script without any build tool, and a request for it with the conversation that
//! carries it out: the first code is wrong, its test finds that, the second round is right.

use serde_json::{Value, json};

/// What is in the repository before the request.
pub const FILES: &[(&str, &str)] = &[
    ("tally.sh", "#!/bin/sh\n# Counts the lines of its input.\nwc -l | tr -d ' '\n"),
    (
        "check.sh",
        "#!/bin/sh\n# Runs every test and names those that fail.\nstatus=0\nfor test in tests/*.sh; do\n    sh \"$test\" || \
         { echo \"$test:1: failed\"; status=1; }\ndone\nexit $status\n",
    ),
    ("tests/lines.sh", "[ \"$(printf 'a b\\nc\\n' | sh tally.sh)\" = 2 ]\n"),
    ("README.md", "# tally\n\nCounts lines.\n"),
    (".gitignore", ".hooks\n"),
];

/// The repository's note. No tool is detected in it: the gates are those named here. The gate `lint` fails without what
/// the hooks `after_create` and `before_run` left.
pub const NOTE: &str = "---
path: ../tally
default_branch: main
remote: origin
forge: local
gates:
  - \"lint: grep -q begun .hooks\"
  - \"test: sh check.sh\"
after_create: echo created > .hooks
before_run: grep -q created .hooks && echo begun >> .hooks
after_run: echo ended >> .hooks
before_remove: grep -q ended .hooks
---
# tally

A shell script. Every behaviour has a test in `tests/`.
";

pub const REQUEST_NAME: &str = "FR-007 Count words.md";

pub const REQUEST: &str = "---
id: FR-007
title: Count words
type: feature
status: new
priority: 2
repo: tally
approved: false
---
# Count words

## Summary

`tally.sh -w` counts words, so that writers need no second tool.

## Acceptance criteria

- [ ] `tally.sh -w` prints the number of words
- [ ] Without an option the lines are counted as before

## Open questions

None.
";

const WRONG: &str = "#!/bin/sh\n# Counts the lines of its input, with -w the words.\nunit=-l\n\
                     [ \"$1\" = -w ] && unit=-c\nwc $unit | tr -d ' '\n";

/// The program as the target branch has it in the end.
pub const RIGHT: &str = "#!/bin/sh\n# Counts the lines of its input, with -w the words.\nunit=-l\n\
                         [ \"$1\" = -w ] && unit=-w\nwc $unit | tr -d ' '\n";

/// A turn as step, agent, and the tool calls of its answer.
pub type Turn = (&'static str, &'static str, Vec<(&'static str, Value)>);

/// Every turn.
pub fn conversation() -> Vec<Turn> {
    let plan = json!({
        "summary": "An option `-w` in `tally.sh`.",
        "files": [{"path": "tally.sh", "change": "the option"}, {"path": "tests/words.sh", "change": "new"}],
        "steps": ["Read the option", "Test it"], "validation": ["sh check.sh"],
        "rollback": "Revert the merge.", "risks": [], "sub_features": [],
    });
    let criterion = |text: &str, test: &str| json!({"text": text, "met": true, "evidence": test});
    let review = json!({
        "verdict": "approve", "summary": "Right and tested.", "findings": [],
        "criteria": [
            criterion("`tally.sh -w` prints the number of words", "tests/words.sh"),
            criterion("Without an option the lines are counted as before", "tests/lines.sh"),
        ],
    });
    let test = "[ \"$(printf 'a b\\nc\\n' | sh tally.sh -w)\" = 3 ]\n";
    let done = |summary: &str| ("finish", json!({"summary": summary}));
    vec![
        ("plan/1", "Planner", vec![("read", json!({"path": "tally.sh"}))]),
        ("plan/1", "Planner", vec![("finish", plan)]),
        ("code/1", "Coder", vec![("write", json!({"path": "tally.sh", "content": WRONG}))]),
        ("code/1", "Coder", vec![done("The option `-w`.")]),
        ("test/1", "Tester", vec![("write", json!({"path": "tests/words.sh", "content": test}))]),
        ("test/1", "Tester", vec![done("A test of `-w`; it fails.")]),
        ("code/2", "Coder", vec![("edit", json!({"path": "tally.sh", "old": "unit=-c", "new": "unit=-w"}))]),
        ("code/2", "Coder", vec![done("Words, not bytes.")]),
        ("review/2", "Reviewer", vec![("read", json!({"path": "tally.sh"}))]),
        ("review/2", "Reviewer", vec![("finish", review)]),
    ]
}

/// The conversation in the form of a recording.
pub fn recording() -> String {
    let mut turns = std::collections::BTreeMap::new();
    let mut lines = String::new();
    for (key, agent, calls) in conversation() {
        let turn = turns.entry(key).and_modify(|turn| *turn += 1).or_insert(1);
        let calls: Vec<Value> = calls
            .into_iter()
            .map(|(name, arguments)| json!({"id": format!("{key}-{turn}"), "name": name, "arguments": arguments}))
            .collect();
        let line = json!({"v": 1, "key": key, "agent": agent, "turn": *turn, "reply": {
            "text": "", "tool_calls": calls, "ended": "tool_calls",
            "tokens": {"input": 1000, "cached": 0, "output": 100, "reasoning": 0},
        }});
        lines.push_str(&format!("{line}\n"));
    }
    lines
}
