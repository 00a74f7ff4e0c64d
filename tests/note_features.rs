//! Feature notes of every shape are read; what is wrong with them is named with its line.

#[path = "note_features/phases.rs"]
mod phases;

use ado_vault::domain::{Feature, FeatureType, Level, NotePath, Severity, Status, Usd};
use ado_vault::note::{block_hash, dependency_ids, parse_feature, set_block};

fn parse(text: &str) -> Feature {
    parse_feature(&NotePath::new("10_features/02_new/FR-046-job-queue.md").unwrap(), text, Some(Status::New))
}

fn seen(feature: &Feature) -> Vec<(&str, u32)> {
    feature.diagnostics.iter().map(|d| (d.code.as_str(), d.line)).collect()
}

const QUEUE: &str = r#"---
type: feature-request
id: FR-046
title: "Job registry & priority queue"   # shown on the dashboard
status: new
group: Core Infrastructure
priority: 2
created: 2026-03-02
depends_on:
  - "[[FR-043-custom-agents|Custom agents]]"
  - FR-045
tags: [agents, queue]
---

## Decisions

- Pending: storage backend — JSON file, SQLite, or in memory?
- Pending: maximum number of parallel agents?

## User Tasks

- [ ] Pick the storage backend

## Summary

A registry of all work.

## Problem / Motivation

Today one task runs at a time.

## Proposed Solution

A module with two parts.

## Open Questions

### 1. Starvation

**Question:** How fast should low-priority jobs rise?

| Option | Description |
|---|---|
| A) Every hour one step | Simple |

**Recommendation:** B.

**Decision:**

### 2. Names

**Decision:** short ones

## Phase Overview

| Phase | Description | Status |
|---|---|---|
| Phase 1 | Registry | done |
| Phase 3 | Later | — |

## Phase 1: Registry — done

**Goal:** Every job is visible.

| File / Feature | Details | Owner | Status |
|---|---|---|---|
| `src/jobs/registry.rs` | Store and list jobs | ado | done |
| Dashboard | `![[jobs.base#Open]]` | mv | — |

## Phase 2: Queue —

**Goal:** The next job is
always the right one.

## Prerequisites / Gap Analysis

### Requirements

| Requirement | Description |
|---|---|
| REQ-1 | No job starves |
| REQ-2 | A blocked job says so |

## Acceptance criteria

- [x] `jobs list` shows every job ^ac-1
- [ ] Two jobs run oldest first
  - [ ] also after a restart
"#;

#[test]
fn the_full_shape_is_read() {
    let feature = parse(QUEUE);
    assert_eq!(seen(&feature), []);
    assert_eq!(feature.id.as_ref().unwrap().as_str(), "FR-046");
    assert_eq!(feature.title, "Job registry & priority queue");
    let properties = &feature.properties;
    assert_eq!(
        (properties.kind, properties.status, properties.priority),
        (Some(FeatureType::Feature), Some(Status::New), Some(2))
    );
    let ids: Vec<String> = dependency_ids(&feature).into_iter().map(String::from).collect();
    assert_eq!(ids, ["FR-043", "FR-045"]);
    let sections = &feature.sections;
    assert_eq!(sections.summary, "A registry of all work.");
    assert_eq!(sections.problem, "Today one task runs at a time.");
    assert_eq!(sections.solution, "A module with two parts.");
    assert_eq!(
        sections.pending_decisions,
        ["storage backend — JSON file, SQLite, or in memory?", "maximum number of parallel agents?"]
    );
    let criteria: Vec<_> = sections.criteria.iter().map(|c| (c.text.as_str(), c.done, c.line)).collect();
    let line = |text: &str| QUEUE.lines().position(|l| l.contains(text)).unwrap() as u32 + 1;
    assert_eq!(
        criteria,
        [
            ("`jobs list` shows every job", true, line("jobs list")),
            ("Two jobs run oldest first", false, line("Two jobs")),
            ("also after a restart", false, line("also after"))
        ]
    );
    let questions: Vec<_> = sections
        .questions
        .iter()
        .map(|q| (q.title.as_str(), q.recommendation.as_str(), q.decision.as_str(), q.line))
        .collect();
    assert_eq!(
        questions,
        [("Starvation", "B.", "", line("### 1.")), ("Names", "", "short ones", line("### 2."))]
    );
    let phases: Vec<_> =
        sections.phases.iter().map(|p| (p.number, p.title.as_str(), p.goal.as_str(), p.rows.len())).collect();
    assert_eq!(
        phases,
        [
            (1, "Registry", "Every job is visible.", 2),
            (2, "Queue", "The next job is always the right one.", 0),
            (3, "Later", "", 0)
        ]
    );
    let row = &sections.phases[0].rows[0];
    assert_eq!((row.item.as_str(), row.owner.as_str()), ("`src/jobs/registry.rs`", "ado"));
    assert!(row.is_done() && row.is_for_agents() && !sections.phases[0].rows[1].is_for_agents());
    assert_eq!(sections.requirements, ["REQ-1: No job starves", "REQ-2: A blocked job says so"]);
    assert!(sections.other.starts_with("## User Tasks\n\n- [ ] Pick"), "{}", sections.other);
}

#[test]
fn a_title_and_a_paragraph_are_enough() {
    let path = NotePath::new("10_features/01_ideas/Make the greeting louder.md").unwrap();
    let feature = parse_feature(&path, "People cannot read it.\n", Some(Status::Ideas));
    assert_eq!(seen(&feature), []);
    assert_eq!((feature.title.as_str(), feature.id), ("Make the greeting louder", None));
    assert_eq!(feature.sections.other, "People cannot read it.");
    assert_eq!(*feature.brief, "People cannot read it.");
    let new = parse_feature(&path, "People cannot read it.\n", Some(Status::New));
    assert_eq!(seen(&new), [("missing-id", 1)]);
    assert!(!new.has_errors());
}

#[test]
fn the_title_comes_from_property_heading_or_name() {
    let title = |stem: &str, text: &str| {
        parse_feature(&NotePath::new(format!("{stem}.md")).unwrap(), text, None).title
    };
    assert_eq!(title("FR-7 Export", "---\ntitle: T\n---\n# H"), "T");
    assert_eq!(title("FR-7 Export", "# FR-7 Export – 版\n\ntext"), "Export – 版");
    assert_eq!(title("FR-7 Export", "# Summary\n\ntext"), "Export");
    assert_eq!(title("FR-7-export-it", ""), "export it");
    assert_eq!(title("FR-7", ""), "FR-7");
    assert_eq!(title("add-a-flag", ""), "add-a-flag");
}

#[test]
fn every_wrong_property_is_named_with_its_line_and_the_rest_is_read() {
    let text = "---\nid: fr-1\ntype: epic\nstatus: doing\npriority: high\nrepo: [a, b]\ntarget_branch: --x\ndepends_on: [FR-2, some text, [[FR-3 x]]]\nrisk: scary\nbudget_usd: -1\nbudget_tokens: 5k\napproved: maybe\ncomplexity: 200\ntitle: {a: b}\n---\nbody";
    let feature = parse(text);
    let expected = [
        ("bad-id", 2),
        ("bad-title", 14),
        ("unknown-type", 3),
        ("unknown-status", 4),
        ("bad-priority", 5),
        ("bad-repo", 6),
        ("bad-branch", 7),
        ("depends-on-malformed", 8),
        ("bad-risk", 9),
        ("bad-budget", 10),
        ("bad-budget", 11),
        ("bad-checkbox", 12),
        ("bad-property", 13),
    ];
    let mut found = seen(&feature);
    found.sort_unstable();
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert!(
        feature.diagnostics.iter().all(|d| d.path.as_ref() == Some(&feature.path) && !d.remedy.is_empty())
    );
    let loose: Vec<_> =
        feature.diagnostics.iter().filter(|d| !d.is_error()).map(|d| d.code.as_str()).collect();
    assert_eq!(loose.len(), 4, "{loose:?}");
    assert_eq!(dependency_ids(&feature).len(), 2);
    assert_eq!(*feature.brief, "body");
}

#[test]
fn properties_are_read_as_people_write_them() {
    let feature = parse(
        "---\nid: FR-7\nStatus: In Progress\npriority: P1\nrepo: \"[[repos/demo|Demo]]\"\ndepends_on: [[FR-054 Some title, long|x]]\nrisk: High\nbudget_usd: \"2.50\"\nbudget_tokens: 1000\napproved: true\nspecify: true\nrun: 2\nwaiting_on:\npr: [[PR-0007 x]]\n---\n",
    );
    assert_eq!(seen(&feature), []);
    let p = &feature.properties;
    assert_eq!((p.status, p.priority, p.repo.as_deref()), (Some(Status::InProgress), Some(1), Some("demo")));
    assert_eq!(
        (p.risk, p.budget_usd, p.budget_tokens),
        (Some(Level::High), Some(Usd::from_dollars(2.5)), Some(1000))
    );
    assert_eq!((p.approved, p.run.as_deref(), p.waiting_on.as_deref()), (Some(true), Some("2"), None));
    assert_eq!(p.specify, Some(true));
    assert_eq!(p.pr.as_deref(), Some("[[PR-0007 x]]"));
    assert_eq!(p.depends_on, ["[[FR-054 Some title, long|x]]"]);
    assert_eq!(dependency_ids(&feature)[0].as_str(), "FR-054");
}

#[test]
fn broken_notes_are_reported_and_what_can_be_read_is() {
    let feature = parse("---\r\nid: FR-7\r\nowner: @mila\r\n---\r\n\r\n# FR-7 Export\r\n\r\nText.\r\n");
    assert_eq!(seen(&feature), [("yaml-invalid", 3)]);
    assert_eq!((feature.title.as_str(), feature.sections.other.as_str()), ("Export", "Text."));
    assert_eq!(seen(&parse("---\nid: FR-7\n\n# Never closed\n")), [("unclosed-front-matter", 1)]);
    assert_eq!(seen(&parse("---\nid: FR-7\nid: FR-8\n---\n")), [("duplicate-key", 3)]);
    let damaged = parse("---\nid: FR-7\n---\na\n\n<!-- ado:begin plan -->\n");
    assert_eq!(seen(&damaged), [("marker-damage", 6)]);
    let conflict = parse("---\nid: FR-7\n<<<<<<< a\nx: 1\n=======\nx: 2\n>>>>>>> b\n---\nid");
    assert_eq!(
        (seen(&conflict), conflict.id.clone(), conflict.brief.as_str()),
        (vec![("conflict-markers", 3)], None, "")
    );
    let large = parse(&"x".repeat(1024 * 1024 + 1));
    assert_eq!(seen(&large), [("note-too-large", 0)]);
    assert_eq!(large.diagnostics[0].severity, Severity::Error);
}

#[test]
fn blocks_are_neither_brief_nor_sections_and_move_no_line() {
    let plain = parse(QUEUE);
    let block = "## Summary\n\nNot the human's.\n\n## Acceptance criteria\n\n- [ ] not a criterion";
    let with = set_block(QUEUE, "plan", Some(block), None).unwrap();
    let feature = parse(&with);
    assert_eq!((&feature.brief, &feature.sections), (&plain.brief, &plain.sections));
    assert_eq!(feature.request_hash(), plain.request_hash());
    assert_eq!(feature.blocks["plan"], block_hash(block));
    let cut = with.find("## Acceptance").unwrap();
    let (head, tail) = QUEUE.split_at(cut);
    let above = set_block(head, "plan", Some(block), None).unwrap() + "\n" + tail;
    let criteria = parse(&above).sections.criteria.clone();
    let line = above.lines().position(|l| l.contains("Two jobs")).unwrap() as u32 + 1;
    assert_eq!((criteria.len(), criteria[1].line), (3, line));
}

#[test]
fn questions_without_headings_are_read() {
    let questions = |text: &str| -> Vec<(String, String)> {
        let note = format!("# T\n\n## Open questions\n\n{text}\n\n## Notes\n\nx?");
        parse(&note).sections.questions.clone().into_iter().map(|q| (q.title, q.decision)).collect()
    };
    let pair = |title: &str, decision: &str| (title.to_owned(), decision.to_owned());
    assert_eq!(
        questions("- How fast?\n  - Decision: very\n- [x] Who?\n- None."),
        [pair("How fast?", "very"), pair("Who?", "done")]
    );
    assert_eq!(
        questions("**Question:** One?\n**Decision:** TBD\n\n**Question:** Two?\n\n**Decision:** B"),
        [pair("One?", ""), pair("Two?", "B")]
    );
    assert_eq!(questions("Is it fast enough?"), [pair("Is it fast enough?", "")]);
    assert_eq!(questions("None."), []);
}

#[test]
fn real_notes_are_read_without_failing() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("../shared/corpus"), root.join("../../shared/corpus")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                let feature = parse(&text);
                let lines = text.lines().count() as u32;
                assert!(feature.diagnostics.iter().all(|d| d.line <= lines + 1), "{}", path.display());
                for criterion in &feature.sections.criteria {
                    assert!(
                        text.lines().nth(criterion.line as usize - 1).unwrap().contains('['),
                        "{}",
                        path.display()
                    );
                }
            }
        }
    }
}

mod generated {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_text_is_read(lines in proptest::collection::vec(prop_oneof![
            "\\PC{0,20}",
            "(---|\\.\\.\\.|# [a-z]|## Acceptance criteria|- \\[ \\] [a-z^ ]{0,6}|## Phase [0-9]{1,12}:? —)",
            "(id|status|depends_on|\\*a|é): ?(\\[\\[|\\{|\"|'|\\||&a|\\*a|1e999|é)?",
            "(## Open questions|### 1\\.|\\*\\*Decision:\\*\\*|\\|a\\|phase\\||\\|-\\|-\\||Goal:|> - x)",
            "<!-- ado:(begin|end) plan -->",
        ], 0..14), newline in prop_oneof![Just("\n"), Just("\r\n"), Just("\r")]) {
            let text = lines.join(newline);
            let feature = parse(&text);
            let _ = ado_vault::note::tick_criteria(&text, &["a".to_owned()]);
            prop_assert_eq!(parse(&text), feature);
        }
    }
}
