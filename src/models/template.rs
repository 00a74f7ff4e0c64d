//! The last link of a chain, for when no model answers: a plan or a review that says that it is a template. Never writes
//! code, never approves, asks nobody and costs nothing.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{ChatReply, ChatRequest, Message, Model, ModelError, ToolCall};
use crate::domain::{ModelConfig, ModelName, Step};

/// The tool that ends a built-in agent's work.
const FINISH: &str = "finish";
/// Criteria that are taken over from the prompt.
const MOST_CRITERIA: usize = 20;

pub(super) struct TemplateModel {
    name: ModelName,
}

impl TemplateModel {
    pub(super) fn new(config: &ModelConfig) -> Self {
        Self { name: config.name.clone() }
    }
}

#[async_trait]
impl Model for TemplateModel {
    fn name(&self) -> &ModelName {
        &self.name
    }

    async fn call(&self, request: &ChatRequest) -> Result<ChatReply, ModelError> {
        let criteria = criteria(request);
        let result = match request.context.key.step {
            Step::Plan => plan(&criteria),
            Step::Review => review(),
            step => {
                let detail = format!("a template plans and reviews; the step `{step}` needs a model");
                return Err(ModelError::Rejected { model: self.name.clone(), detail });
            }
        };
        // Other programs as agents have tools of their own, and some models are asked for text: they find it in a fence.
        if request.tools.iter().all(|tool| tool.name != FINISH) {
            let text = format!("```json\n{result:#}\n```");
            return Ok(ChatReply { text, ended: "stop".into(), ..ChatReply::default() });
        }
        let call = ToolCall { id: "template".into(), name: FINISH.into(), arguments: result };
        Ok(ChatReply { tool_calls: vec![call], ended: "tool_calls".into(), ..ChatReply::default() })
    }
}

fn plan(criteria: &[String]) -> Value {
    let mut steps = vec![
        "Read the request and find the files that it is about.".to_owned(),
        "Make the smallest change that meets it, in the way of the code around it.".to_owned(),
    ];
    steps.extend(criteria.iter().map(|criterion| format!("Meet: {criterion}")));
    steps.push("Add or change a test for each of these.".to_owned());
    json!({
        "summary": "This is a template and no plan of a model: no model could be asked. It names no files.",
        "files": [],
        "steps": steps,
        "validation": ["The project's own checks pass."],
        "rollback": "Revert the change's commit.",
        "risks": ["Nobody looked at the code before this was written."],
    })
}

fn review() -> Value {
    json!({
        "verdict": "request_changes",
        "summary": "This is a template and no review: no model could be asked. A person must look at the change.",
        "findings": [],
        "criteria": [],
        "template": true,
    })
}

/// Open boxes in the task, as the note has them.
fn criteria(request: &ChatRequest) -> Vec<String> {
    let Some(Message::User { text }) = request.messages.first() else { return vec![] };
    let mut criteria: Vec<String> = vec![];
    for line in text.lines().filter_map(|line| line.trim_start().strip_prefix("- [ ] ")) {
        let line: String = line.trim().chars().take(300).collect();
        if !line.is_empty() && !criteria.contains(&line) {
            criteria.push(line);
        }
    }
    criteria.truncate(MOST_CRITERIA);
    criteria
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{StepKey, Tokens};
    use crate::models::{CallContext, ToolSpec};

    async fn asked(step: Step) -> Result<Value, String> {
        let finish = ToolSpec { name: FINISH.into(), description: String::new(), parameters: json!({}) };
        let reply = reply(step, vec![finish]).await?;
        assert_eq!((reply.tool_calls[0].name.as_str(), reply.tokens), ("finish", Tokens::default()));
        Ok(reply.tool_calls[0].arguments.clone())
    }

    async fn reply(step: Step, tools: Vec<ToolSpec>) -> Result<ChatReply, String> {
        let config = serde_json::from_str(r#"{"name":"last","provider":"template"}"#).unwrap();
        let request = ChatRequest {
            context: CallContext { key: StepKey::new(step, 1), agent: "a".parse().unwrap(), turn: 1 },
            system: String::new(),
            messages: vec![Message::User {
                text: "Do:\n- [ ] it greets\n- [x] done\n- [ ] it greets\n".into(),
            }],
            tools,
            temperature: None,
            max_output_tokens: 10,
        };
        TemplateModel::new(&config).call(&request).await.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn who_has_no_finish_is_given_the_same_result_as_text() {
        let other = ToolSpec { name: "bash".into(), description: String::new(), parameters: json!({}) };
        let told = reply(Step::Review, vec![other]).await.unwrap();
        assert_eq!((told.tool_calls.len(), told.ended.as_str()), (0, "stop"));
        let json = told.text.strip_prefix("```json\n").and_then(|text| text.strip_suffix("\n```")).unwrap();
        assert_eq!(serde_json::from_str::<Value>(json).unwrap(), asked(Step::Review).await.unwrap());
    }

    #[tokio::test]
    async fn a_template_says_that_it_is_one_and_never_writes_code_or_approves() {
        let plan: crate::domain::WorkPlan = serde_json::from_value(asked(Step::Plan).await.unwrap()).unwrap();
        assert!(plan.summary.starts_with("This is a template"), "{plan:?}");
        assert_eq!(plan.steps.iter().filter(|step| *step == "Meet: it greets").count(), 1);
        let review: crate::domain::Review =
            serde_json::from_value(asked(Step::Review).await.unwrap()).unwrap();
        assert!(!review.approves() && review.template && review.summary.contains("A person must look"));
        for step in [Step::Code, Step::Test, Step::Specify] {
            assert!(asked(step).await.unwrap_err().contains("needs a model"), "{step}");
        }
    }
}
