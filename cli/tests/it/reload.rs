//! Developers change SmartModules while everything runs: tables stay exact, and tell which version made what.

use std::path::PathBuf;
use std::process::Output;

use testkit::smartmodule;

use crate::machine::Machine;
use crate::modules;
use crate::running::{Running, call};

const MODULES: [&str; 2] = ["trip-split", "dock-window"];

/// Of the pushes; each third one is of a module that is of no use.
const PUSHES: u8 = 30;
/// A day of the city in 144 seconds: longer than the pushes take on a busy machine.
const SLOWER: [&str; 2] = ["--speed", "600"];

/// The carried module with a note in it: other bytes, the same behaviour.
fn variant(name: &str, note: u8) -> Vec<u8> {
    let mut wasm = smartmodule(name);
    // A custom section: id 0, its size, the size of its name, the name, one byte.
    wasm.extend([0, 6, 4, b'n', b'o', b't', b'e', note]);
    wasm
}

/// A developer at a machine.
struct Developer<'a>(&'a Machine);

impl Developer<'_> {
    fn push(&self, name: &str, wasm: Vec<u8>, more: &[&str]) -> Output {
        let file: PathBuf = self.0.data_dir().with_file_name(name);
        let file = file.with_extension("wasm");
        std::fs::write(&file, wasm).unwrap();
        let file = file.to_str().unwrap();
        call(self.0, &[&["smartmodule", "push", file], more].concat())
    }
}

/// Events and windows that are not of exactly one version.
const OF_NO_OR_TWO_VERSIONS: &str = "
    select (select count(*) from records_view r where 1 <> (
                select count(*) from module_version_view v
                where v.module = 'trip-split' and v.partition = r.partition
                    and r.\"offset\" <@ v.offsets))
        + (select count(*) from frequency f where 1 <> (
                select count(*) from module_version_view v
                where v.module = 'dock-window' and v.partition = f.partition
                    and f.time <@ v.windows))";

#[tokio::test]
async fn modules_pushed_while_trips_flow_good_and_bad_ones_change_nothing_in_the_tables() {
    let smooth = Machine::new();
    smooth.once(Running::SOURCE);
    let expected = smooth.digest().await;

    let machine = Machine::new();
    let running = Running::start_with(&machine, &SLOWER);
    running.wait_until_rows_are_stored();
    let developer = Developer(&machine);
    for note in 0..PUSHES {
        let name = MODULES[usize::from(note) % 2];
        if note % 3 == 2 {
            let refused = developer.push(name, modules::small("(i32.const 0)"), &[]);
            assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        } else {
            let pushed = developer.push(name, variant(name, note), &[]);
            assert!(pushed.status.success(), "{pushed:?}");
            running.wait_for(&format!("smartmodule {name} is loaded"));
        }
    }
    // One that comes through all the same: the streams go on with the one they had.
    let loops = "(if (i32.gt_u (local.get 1) (i32.const 400)) (then (loop $again (br $again))))
        (i32.const 0)";
    let forced = developer.push("trip-split", modules::small(loops), &["--force"]);
    assert!(forced.status.success(), "{forced:?}");
    running.wait_for("the new module does not run");
    assert_eq!(running.interrupt(), Some(0));

    machine.once(Running::SOURCE);
    let mut tables = machine.tables().await;
    assert_eq!(tables.digest().await, expected);
    assert_eq!(tables.windows_that_differ().await, 0);
    assert_eq!(tables.docks_that_differ().await, 0);
    assert_eq!(tables.number(OF_NO_OR_TWO_VERSIONS).await, 0);
    tables.close().await;
}
