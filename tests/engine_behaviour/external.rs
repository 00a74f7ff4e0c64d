//! Runs whose coder is another program: its change is committed and judged as any other, and brakes hold for it.

use ado_vault::domain::{Event, Status, StepResult};
use ado_vault::note::PropertyValue;
use serde_json::json;

use super::behaviour::*;

/// Asks the model once and does what the script says.
pub fn with_coder(talk: &Talk, script: &str) -> World {
    let world = World::new(talk);
    let program = world.target().parent().unwrap().join("program");
    std::fs::create_dir(&program).unwrap();
    let ask = r#"
        port=${OPENAI_BASE_URL#http://127.0.0.1:}; port=${port%/v1}; body='{"messages":[{"role":"user","content":"well?"}]}'
        ask() {
            exec 3<>"/dev/tcp/127.0.0.1/$port"
            printf 'POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s' \
                "$OPENAI_API_KEY" "${#body}" "$body" >&3
            cat <&3
        }
    "#;
    std::fs::write(program.join("agent.sh"), format!("{ask}\n{script}")).unwrap();
    let agent = program.join("agent.sh");
    world.put(
        "20_agents/Coder.md",
        &format!(
            "---\nrole: coder\nbackend: command\ncommand: [bash, {}, \"{{{{prompt_file}}}}\"]\nread_paths: [{}]\n---\nDo it.\n",
            agent.display(),
            program.display()
        ),
    );
    world.save("another coder");
    world
}

fn talk() -> Talk {
    Talk::default().says(1, "I wrote the greeting.").approve(1)
}

fn results(world: &World, step: &str) -> Vec<StepResult> {
    let of_step = |event| match event {
        Event::StepFinished { key, outcome, .. } if key.to_string() == step => Some(outcome.result),
        _ => None,
    };
    world.events("FR-001/1").into_iter().filter_map(of_step).collect()
}

#[test]
fn what_another_program_writes_is_committed_checked_reviewed_and_charged() {
    let script = "grep -q 'The program greets' \"$1\" && ask > /dev/null && echo hello > greeting.txt; git commit -qam mine; exit 3";
    let world = with_coder(&talk(), script);
    world.request(Status::Planned, "FR-001");
    world.work();
    assert_eq!(world.status("FR-001"), Status::Review, "{:?}\n{}", world.problems(), world.note("FR-001"));
    let results = results(&world, "code/1");
    let [StepResult::Changed { change }] = results.as_slice() else { panic!("{results:?}") };
    assert_eq!((change.files[0].path.as_str(), change.files.len()), ("greeting.txt", 1));
    assert_eq!(change.summary, "I wrote the greeting.");
    let log = git(&world.target(), &["log", "--format=%an %s", change.commit.as_str()]);
    assert_eq!(log.lines().count(), 2, "one commit, and it is ado-vault's: {log}");
    assert_eq!(world.calls("FR-001/1"), 2, "one of the coder and one of the reviewer");
    let asked = world.prompts("FR-001/1", "code/1");
    assert!(asked[0].contains("well?") && asked[0].contains("I wrote the greeting."), "{asked:?}");
}

#[test]
fn a_program_that_changes_nothing_stops_the_run_however_it_ends() {
    let talk = (1..=3).fold(Talk::default(), |talk, round| talk.says(round, "All done."));
    let world = with_coder(&talk, "ask > /dev/null; echo 'all done'");
    world.request(Status::Planned, "FR-001");
    world.work();
    assert_eq!(world.status("FR-001"), Status::InProgress);
    assert!(world.waiting_on("FR-001").contains("changed nothing"), "{}", world.waiting_on("FR-001"));
}

#[test]
fn a_program_that_stalls_with_nothing_done_fails_its_step_and_with_a_change_is_judged_by_it() {
    let world = with_coder(&talk(), "ask > /dev/null; sleep 600");
    world.set("20_agents/Coder.md", "stall_seconds", PropertyValue::Integer(1));
    world.request(Status::Planned, "FR-001");
    world.work();
    match results(&world, "code/1").as_slice() {
        [StepResult::Failed { error, .. }, ..] => assert!(error.contains("without output"), "{error}"),
        other => panic!("{other:?}"),
    }

    let world = with_coder(&talk(), "ask > /dev/null; echo hello > greeting.txt; sleep 600");
    world.set("20_agents/Coder.md", "stall_seconds", PropertyValue::Integer(1));
    world.request(Status::Planned, "FR-001");
    world.work();
    assert_eq!(world.status("FR-001"), Status::Review, "{:?}\n{}", world.problems(), world.note("FR-001"));
}

#[test]
fn a_cap_stops_another_program_as_it_stops_the_built_in_agent() {
    let world = with_coder(&talk(), "while ask | grep -q '200 OK'; do :; done; echo hello > greeting.txt");
    world.set("00_system/Settings.md", "run_max_calls", PropertyValue::Integer(1));
    world.says(&talk().turn("code/1", "Coder", 2, &[("x", json!({}))]));
    world.request(Status::Planned, "FR-001");
    world.work();
    assert_eq!(world.calls("FR-001/1"), 1);
    assert_eq!(world.waiting_on("FR-001"), "budget", "{}", world.note("FR-001"));
}
