//! What GitHub's checks say of a commit: check runs, and statuses of services that know no check runs. Pure, but for asking
//! after what shows a failure.

use std::sync::LazyLock;

use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

use super::forge::{GithubForge, PAGE};
use crate::domain::{Checks, Feedback, GitId, redact_secrets};
use crate::forge::ForgeError;
use crate::note::plain;

/// Failing checks that are told of, annotations of one, lines and characters of what shows one.
const MOST: usize = 10;
const MOST_ANNOTATIONS: usize = 20;
const MOST_LINES: usize = 80;
const MOST_CHARS: usize = 6_000;

/// GitHub begins every line of a log with its time.
static TIME: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?m)^\u{feff}?\d{4}-\d\d-\d\dT[0-9:.]+Z ?").expect("the pattern is a literal")
});

#[derive(Debug, Deserialize)]
struct CheckRun {
    id: u64,
    name: String,
    status: String,
    conclusion: Option<String>,
    #[serde(default)]
    output: Output,
    app: Option<App>,
}

#[derive(Debug, Default, Deserialize)]
struct Output {
    title: Option<String>,
    summary: Option<String>,
    #[serde(default)]
    annotations_count: u64,
}

#[derive(Debug, Deserialize)]
struct App {
    slug: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Status {
    context: String,
    state: String,
    description: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Annotation {
    path: String,
    start_line: Option<u64>,
    annotation_level: Option<String>,
    message: Option<String>,
}

/// A check that failed, and where more of it is.
#[derive(Debug, PartialEq, Eq)]
struct Failing {
    name: String,
    /// What it says itself.
    said: String,
    /// The check run whose annotations say where.
    annotated: Option<u64>,
    /// The job of GitHub's own runner whose log shows it.
    job: Option<u64>,
}

/// All that ended passed; some failed; some have not ended. What needs a human's hand or was stopped by one did not pass,
/// and is nothing that a coder can mend.
fn read(runs: &[Value], statuses: &[Value]) -> (Checks, Vec<Failing>) {
    let runs: Vec<CheckRun> = runs.iter().filter_map(|each| CheckRun::deserialize(each).ok()).collect();
    let statuses: Vec<Status> = statuses.iter().filter_map(|each| Status::deserialize(each).ok()).collect();
    let is_pending = runs.iter().any(|run| run.status != "completed")
        || statuses.iter().any(|status| status.state == "pending");
    let passes =
        |run: &CheckRun| matches!(run.conclusion.as_deref(), Some("success" | "neutral" | "skipped"));
    let all_pass = runs.iter().all(passes) && statuses.iter().all(|status| status.state == "success");
    let checks = match (runs.is_empty() && statuses.is_empty(), is_pending, all_pass) {
        (true, ..) => Checks::None,
        (_, true, _) => Checks::Pending,
        (_, _, true) => Checks::Passed,
        (_, _, false) => Checks::Failed,
    };
    let fails = |run: &&CheckRun| {
        matches!(run.conclusion.as_deref(), Some("failure" | "timed_out" | "startup_failure"))
    };
    let of_run = |run: &CheckRun| Failing {
        name: run.name.clone(),
        said: [&run.output.title, &run.output.summary]
            .into_iter()
            .flatten()
            .cloned()
            .collect::<Vec<_>>()
            .join("\n"),
        annotated: (run.output.annotations_count > 0).then_some(run.id),
        job: run
            .app
            .as_ref()
            .and_then(|app| app.slug.as_deref())
            .filter(|slug| *slug == "github-actions")
            .map(|_| run.id),
    };
    let of_status = |status: &Status| Failing {
        name: status.context.clone(),
        said: status.description.clone().unwrap_or_default(),
        annotated: None,
        job: None,
    };
    let failing = statuses.iter().filter(|status| matches!(status.state.as_str(), "failure" | "error"));
    let failing = runs.iter().filter(fails).map(of_run).chain(failing.map(of_status)).take(MOST).collect();
    (checks, failing)
}

/// The words without control characters and secrets, and of them the last ones.
fn tail(text: &str) -> String {
    let text = plain(&redact_secrets(text, &[]));
    let text = TIME.replace_all(&text, "");
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let last = lines[lines.len().saturating_sub(MOST_LINES)..].join("\n");
    let skipped = last.chars().count().saturating_sub(MOST_CHARS);
    last.chars().skip(skipped).collect::<String>().trim().to_owned()
}

fn places(annotations: &[Value]) -> String {
    let all = annotations.iter().filter_map(|each| Annotation::deserialize(each).ok());
    let line = |each: Annotation| {
        let at = each.start_line.map(|line| format!(":{line}")).unwrap_or_default();
        let level = each.annotation_level.unwrap_or_default();
        format!("{}{at}: {level}: {}", each.path, each.message.unwrap_or_default())
    };
    all.take(MOST_ANNOTATIONS).map(line).collect::<Vec<_>>().join("\n")
}

impl GithubForge {
    /// What the checks of a commit say. Those that failed are told of with what shows it, once all have ended.
    pub(super) async fn checks_of(&self, head: &str) -> Result<(Checks, Vec<Feedback>), ForgeError> {
        match self.read_checks(head).await {
            // Where the right is missing, all else goes on.
            Err(ForgeError::Refused { status: 403 | 404, what, why }) => {
                tracing::info!(%what, %why, "checks cannot be read");
                Ok((Checks::Unknown, vec![]))
            }
            other => other,
        }
    }

    async fn read_checks(&self, head: &str) -> Result<(Checks, Vec<Feedback>), ForgeError> {
        let path = self.address.path(&format!("/commits/{head}/check-runs?{PAGE}"));
        let runs = self.client.list(&self.address, &path, Some("check_runs")).await?;
        let path = self.address.path(&format!("/commits/{head}/status?{PAGE}"));
        let statuses = self.client.list(&self.address, &path, Some("statuses")).await?;
        let (checks, failing) = read(&runs, &statuses);
        let mut feedback = vec![];
        if checks == Checks::Failed {
            for each in failing {
                let evidence = self.evidence(&each).await?;
                let name = plain(&each.name).replace('\n', " ");
                feedback.push(Feedback::check(name, evidence, GitId(head.to_owned())));
            }
        }
        Ok((checks, feedback))
    }

    /// What it says itself, the places that it names, and the end of its log. What cannot be had is left out: the log lies
    /// elsewhere, and may be gone.
    async fn evidence(&self, failing: &Failing) -> Result<String, ForgeError> {
        let mut parts = vec![tail(&failing.said)];
        if let Some(run) = failing.annotated {
            let path = self.address.path(&format!("/check-runs/{run}/annotations?{PAGE}"));
            parts.push(tail(&places(&self.client.list(&self.address, &path, None).await?)));
        }
        if let Some(job) = failing.job {
            let path = self.address.path(&format!("/actions/jobs/{job}/logs"));
            match self.client.text(&self.address, &path, tail).await {
                Ok(log) => parts.push(log),
                Err(error @ ForgeError::Limited { .. }) => return Err(error),
                Err(error) => tracing::info!(%error, "the log of a failing check cannot be read"),
            }
        }
        parts.retain(|part| !part.is_empty());
        Ok(parts.join("\n\n"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run(name: &str, status: &str, conclusion: Option<&str>) -> Value {
        json!({"id": 7, "name": name, "status": status, "conclusion": conclusion,
            "output": {"title": null, "summary": "2 failed", "annotations_count": 1}, "app": {"slug": "github-actions"}})
    }

    fn status(context: &str, state: &str) -> Value {
        json!({"context": context, "state": state, "description": "it broke"})
    }

    #[test]
    fn checks_pass_fail_or_have_not_ended() {
        let good = run("a", "completed", Some("success"));
        for (runs, statuses, expected) in [
            (vec![], vec![], Checks::None),
            (
                vec![good.clone(), run("b", "completed", Some("skipped"))],
                vec![status("c", "success")],
                Checks::Passed,
            ),
            (vec![good.clone(), run("b", "queued", None)], vec![], Checks::Pending),
            (
                vec![run("b", "completed", Some("failure")), run("c", "in_progress", None)],
                vec![],
                Checks::Pending,
            ),
            (vec![good.clone()], vec![status("c", "pending")], Checks::Pending),
            (vec![good.clone(), run("b", "completed", Some("timed_out"))], vec![], Checks::Failed),
            (vec![good.clone(), run("b", "completed", Some("cancelled"))], vec![], Checks::Failed),
            (vec![good], vec![status("c", "error")], Checks::Failed),
        ] {
            assert_eq!(read(&runs, &statuses).0, expected, "{runs:?} {statuses:?}");
        }
    }

    #[test]
    fn what_a_person_stopped_is_nothing_to_mend() {
        let runs = [run("a", "completed", Some("cancelled")), run("b", "completed", Some("action_required"))];
        assert_eq!(read(&runs, &[]).1, []);
        let failing = read(&[run("test", "completed", Some("failure"))], &[status("ci/x", "failure")]).1;
        let by_runner =
            Failing { name: "test".into(), said: "2 failed".into(), annotated: Some(7), job: Some(7) };
        let by_service = Failing { name: "ci/x".into(), said: "it broke".into(), annotated: None, job: None };
        assert_eq!(failing, [by_runner, by_service]);
    }

    #[test]
    fn a_log_is_its_end_without_times_colours_and_secrets() {
        let secret = ["ghp_", "0123456789abcdefghijABCDEFGHIJ012345"].concat();
        let log =
            format!("2026-11-21T12:00:00.1234567Z \u{1b}[31mred\u{1b}[0m\n2026-11-21T12:00:01.1Z {secret}\n");
        let shown = tail(&log);
        assert!(shown.starts_with("red\n") && !shown.contains("ghp_0"), "{shown}");
        let long: String = (0..500).map(|n| format!("line {n}\n")).collect();
        assert!(tail(&long).starts_with("line 420\n") && tail(&long).ends_with("line 499"));
        assert_eq!(tail(&"x".repeat(9_000)).len(), 6_000);
        let all =
            [json!({"path": "src/a.rs", "start_line": 3, "annotation_level": "failure", "message": "no"})];
        assert_eq!(places(&all), "src/a.rs:3: failure: no");
    }
}
