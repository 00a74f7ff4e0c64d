//! Recorded conversations, built one step at a time. Knows only the form of a recording.

use serde_json::{Value, json};

/// The turns of a conversation.
#[derive(Clone, Default)]
pub struct Talk {
    turns: Vec<Value>,
}

impl Talk {
    /// A coder that writes `greeting.txt` and a reviewer that approves.
    pub fn greeting() -> Self {
        Self::default().code(1, "greeting.txt", super::behaviour::GREETING).approve(1)
    }

    pub fn turn(mut self, key: &str, agent: &str, turn: u32, calls: &[(&str, Value)]) -> Self {
        let calls: Vec<Value> = calls
            .iter()
            .enumerate()
            .map(|(index, (name, arguments))| {
                json!({"id": format!("{key}-{turn}-{index}"), "name": name, "arguments": arguments})
            })
            .collect();
        self.turns.push(json!({"v": 1, "key": key, "agent": agent, "turn": turn, "reply": {
            "text": "", "tool_calls": calls, "ended": "tool_calls",
            "tokens": {"input": 1000, "cached": 0, "output": 100, "reasoning": 0},
        }}));
        self
    }

    /// The coder of a round writes one file.
    pub fn code(self, round: u32, path: &str, content: &str) -> Self {
        let write = json!({"path": path, "content": content});
        let done = json!({"summary": format!("wrote {path}")});
        self.turn(&format!("code/{round}"), "Coder", 1, &[("write", write), ("finish", done)])
    }

    /// The coder of a round says that all is done and touches nothing.
    pub fn idle(self, round: u32) -> Self {
        let done = json!({"summary": "nothing to do"});
        self.turn(&format!("code/{round}"), "Coder", 1, &[("finish", done)])
    }

    /// The coder's model says this in a round, and calls nothing.
    pub fn says(mut self, round: u32, text: &str) -> Self {
        let tokens = json!({"input": 1000, "cached": 0, "output": 100, "reasoning": 0});
        let reply = json!({"text": text, "ended": "stop", "tokens": tokens});
        self.turns.push(
            json!({"v": 1, "key": format!("code/{round}"), "agent": "Coder", "turn": 1, "reply": reply}),
        );
        self
    }

    pub fn approve(self, round: u32) -> Self {
        self.review(round, "approve", &[])
    }

    pub fn object(self, round: u32, findings: &[Value]) -> Self {
        self.review(round, "request_changes", findings)
    }

    fn review(self, round: u32, verdict: &str, findings: &[Value]) -> Self {
        let met = verdict == "approve";
        let review = json!({"verdict": verdict, "summary": "I read it.", "findings": findings,
            "criteria": [{"text": "it greets", "met": met, "evidence": "greeting.txt:1"}]});
        self.turn(&format!("review/{round}"), "Reviewer", 1, &[("finish", review)])
    }

    pub fn plan(self, plan: Value) -> Self {
        self.turn("plan/1", "Planner", 1, &[("finish", plan)])
    }

    /// A plan to write the greeting.
    pub fn planned(self) -> Self {
        self.plan(json!({"summary": "Write the greeting.", "steps": ["write the file"],
            "files": [{"path": "greeting.txt", "change": "new: the greeting"}]}))
    }

    /// The tester of the first round adds nothing.
    pub fn tested(self) -> Self {
        self.turn("test/1", "Tester", 1, &[("finish", json!({"summary": "the gate covers it"}))])
    }

    /// The recording's text.
    pub fn lines(&self) -> String {
        self.turns.iter().map(|turn| format!("{turn}\n")).collect()
    }
}
