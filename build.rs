//! Tells cargo that the files built into the program belong to its sources: a changed or added one is built in again.

fn main() {
    println!("cargo::rerun-if-changed=vault-template");
    println!("cargo::rerun-if-changed=src/demo/assets");
}
