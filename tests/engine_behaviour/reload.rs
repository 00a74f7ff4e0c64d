//! Settings, policies and agents that change while the engine runs.

use ado_vault::domain::Status;
use ado_vault::engine::Engine;
use ado_vault::note::PropertyValue;
use tokio_util::sync::CancellationToken;

use super::behaviour::*;

/// Something that the person does between two rests of the engine.
type Act = Box<dyn FnMut(&World)>;

/// Runs one engine through several changes without ending it in between.
fn one_engine(world: &World, mut acts: Vec<Act>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let stop = CancellationToken::new();
        let mut engine = Engine::open(&world.vault, world.options()).await.unwrap();
        for act in &mut acts {
            engine.run(&stop).await.unwrap();
            act(world);
        }
        engine.run(&stop).await.unwrap();
    });
}

#[test]
fn settings_that_cannot_be_read_keep_the_last_good_ones_until_they_are_mended() {
    let world = World::new(&Talk::greeting());
    world.request(Status::New, "FR-001");
    world.request(Status::New, "FR-002");
    let settings = world.read("00_system/Settings.md");
    let good = settings.clone();
    one_engine(
        &world,
        vec![
            Box::new(move |world| {
                world
                    .put("00_system/Settings.md", &settings.replace("max_parallel: 2", "max_parallel: many"));
                world.drag("FR-001", Status::Planned);
            }),
            Box::new(move |world| {
                // It went on with the settings from before: the repository and the model are named there.
                assert_eq!(world.status("FR-001"), Status::Review);
                let problems = world.problems();
                let told: Vec<&String> =
                    problems.iter().filter(|what| what.contains("max_parallel")).collect();
                assert_eq!(told.len(), 1, "said once: {problems:?}");
                assert!(told[0].contains("the last good version stays in force"), "{told:?}");
                world.put("00_system/Settings.md", &good.replace("id_prefix: FR", "id_prefix: NEXT"));
                world.put("10_features/02_new/Wave.md", "# Wave\n");
            }),
        ],
    );
    assert!(
        world.read("10_features/02_new/Wave.md").contains("id: NEXT-001"),
        "mended settings hold at once"
    );
}

#[test]
fn an_agent_note_that_is_broken_keeps_its_last_good_version_and_a_mended_one_is_used_at_once() {
    let world = World::new(&Talk::greeting());
    world.request(Status::New, "FR-001");
    world.request(Status::New, "FR-002");
    let coder = world.read("20_agents/Coder.md");
    let mended = coder.replace("## How to work", "## How to work with joy");
    one_engine(
        &world,
        vec![
            Box::new(move |world| {
                world.put("20_agents/Coder.md", &coder.replace("role: coder", "role: conductor"));
                world.drag("FR-001", Status::Planned);
            }),
            Box::new(move |world| {
                assert_eq!(world.status("FR-001"), Status::Review);
                assert!(world.prompts("FR-001/1", "code/1")[0].contains("## How to work\\n"));
                assert!(
                    world.problems().iter().any(|what| what.contains("conductor")),
                    "{:?}",
                    world.problems()
                );
                world.put("20_agents/Coder.md", &mended);
                world.drag("FR-002", Status::Planned);
            }),
        ],
    );
    assert_eq!(world.status("FR-002"), Status::Review);
    assert!(world.prompts("FR-002/1", "code/1")[0].contains("## How to work with joy"));
}

#[test]
fn a_new_repository_gate_is_used_by_a_run_that_is_under_way() {
    let world = World::new(&Talk::greeting());
    world.request(Status::Planned, "FR-001");
    let root = world.root().to_owned();
    world.when_started("code/1", move || {
        let note =
            "---\npath: ../target\ngates:\n  - \"test: sh check.sh\"\n  - \"lint: sh check.sh\"\n---\n";
        std::fs::write(root.join("00_system/repos/target.md"), note).unwrap();
    });
    world.work();
    let gates: Vec<String> = world.state("FR-001/1").gates.into_iter().map(|gate| gate.name).collect();
    assert_eq!(gates, ["lint", "test", "secrets"]);
}

#[test]
fn the_program_does_not_start_with_settings_that_cannot_be_read() {
    let world = World::new(&Talk::greeting());
    world.set("00_system/Settings.md", "max_parallel", PropertyValue::Text("many".into()));
    let error = world.try_work(&CancellationToken::new()).unwrap_err().to_string();
    assert!(error.contains("00_system/Settings.md") && error.contains("max_parallel"), "{error}");
}
