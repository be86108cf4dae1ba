//! Developers change SmartModules while everything runs: tables stay exact, and tell which version made what.

use std::path::PathBuf;
use std::process::Output;

use testkit::{block_until, smartmodule};

use crate::machine::Machine;
use crate::modules;
use crate::running::{Running, call};

const MODULES: [&str; 2] = ["trip-split", "dock-window"];

/// Of the pushes; each third one is of a module that is of no use.
const PUSHES: u8 = 15;
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

    fn status(&self) -> String {
        String::from_utf8(call(self.0, &["status"]).stdout).unwrap()
    }

    /// Waits until all streams of a module have stored something by this version.
    fn wait_until_all_store_by(&self, name: &str, wasm: &[u8]) {
        let version = partition_client::module_version(wasm);
        let version = partition_client::short_version(&version);
        block_until("all streams store by the version", || {
            let status = self.status();
            let of_module = status.lines().filter(|line| line.contains(name));
            of_module.filter(|line| line.contains(version)).count() == 3
        });
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
    let expected = Machine::undisturbed(Running::SOURCE).await;
    let machine = Machine::new();
    let running = Running::start_with(&machine, &SLOWER);
    running.wait_until_rows_are_stored();
    let developer = Developer(&machine);
    // One that comes through all the same, while trips flow: the streams go on with the one they had.
    let loops = "(if (i32.gt_u (local.get 1) (i32.const 400)) (then (loop $again (br $again))))
        (i32.const 0)";
    let forced = developer.push("trip-split", modules::small(loops), &["--force"]);
    assert!(forced.status.success(), "{forced:?}");
    running.wait_for("the new module does not run");
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
    assert_eq!(running.interrupt(), Some(0));

    machine.once(Running::SOURCE);
    let mut tables = machine.tables().await;
    assert_eq!(tables.digest().await, expected);
    assert_eq!(tables.windows_that_differ().await, 0);
    assert_eq!(tables.docks_that_differ().await, 0);
    assert_eq!(tables.number(OF_NO_OR_TWO_VERSIONS).await, 0);
    tables.close().await;
}

#[tokio::test]
async fn a_rollback_goes_back_to_the_version_before_and_each_row_tells_its_own() {
    let expected = Machine::undisturbed(Running::SOURCE).await;
    let machine = Machine::new();
    let running = Running::start_with(&machine, &SLOWER);
    running.wait_until_rows_are_stored();
    let developer = Developer(&machine);
    let rollback = |name| call(&machine, &["smartmodule", "rollback", name]);
    // Nothing was pushed: there is nothing but what the program carries.
    let nothing = String::from_utf8(rollback("trip-split").stderr).unwrap();
    assert!(nothing.contains("has nothing to go back to"), "{nothing}");
    for name in MODULES {
        developer.wait_until_all_store_by(name, &smartmodule(name));
        assert!(developer.push(name, variant(name, 1), &[]).status.success());
        developer.wait_until_all_store_by(name, &variant(name, 1));
        let back = rollback(name);
        assert!(back.status.success(), "{back:?}");
        developer.wait_until_all_store_by(name, &smartmodule(name));
    }
    // Once more, and it is as it was; and the same pushed again is no change to go back from.
    assert!(rollback("trip-split").status.success());
    let again = developer.push("trip-split", variant("trip-split", 1), &[]);
    let again = String::from_utf8(again.stdout).unwrap();
    assert!(again.contains("is there already"), "{again}");
    assert!(rollback("trip-split").status.success());
    let list = call(&machine, &["smartmodule", "list"]);
    let list = String::from_utf8(list.stdout).unwrap();
    assert!(
        list.contains("what `smartmodule rollback trip-split` goes back to"),
        "{list}"
    );
    assert_eq!(
        list.matches("as carried by this program").count(),
        2,
        "{list}"
    );
    assert_eq!(running.interrupt(), Some(0));

    machine.once(Running::SOURCE);
    let mut tables = machine.tables().await;
    assert_eq!(tables.digest().await, expected);
    assert_eq!(tables.windows_that_differ().await, 0);
    assert_eq!(tables.number(OF_NO_OR_TWO_VERSIONS).await, 0);
    let stored_by_each = "
        select count(*) from module_version_view v
        where v.module = 'dock-window' or exists (
            select from records_view r where r.partition = v.partition and r.\"offset\" <@ v.offsets)";
    let versions = tables.number("select count(*) from module_version").await;
    // Three of each stream at least; the last rollbacks may have come too soon after each other to be stored.
    assert!(versions >= 18, "{versions}");
    assert_eq!(tables.number(stored_by_each).await, versions);
    tables.close().await;
}
