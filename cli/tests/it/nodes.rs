//! Several nodes serve the page: they show the same, and those that are left go on.

use serde_json::Value;
use testkit::{Process, free_address, get, wait_until};

use crate::deployment::{Deployment, terminate};

/// A `bikeshare serve`.
struct Node {
    address: String,
    process: Process,
}

impl Node {
    /// All docks with their counts and the clock that they hold for; nothing while it starts.
    async fn docks(&self) -> Option<Value> {
        tokio::net::TcpStream::connect(&self.address).await.ok()?;
        let response = get(&*self.address, "/gbfs/3.0/station_status.json").await;
        let (_, json) = response.split_once("\r\n\r\n")?;
        let json: Value = serde_json::from_str(json).ok()?;
        Some(serde_json::json!([json["last_updated"], json["data"]]))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_show_the_same_and_one_goes_on_when_the_other_is_killed() {
    let deployment = Deployment::start().await;
    let database = Deployment::database().await;
    let sink = deployment.sink(&database);
    let nodes = [(); 2].map(|()| {
        let address = free_address().to_string();
        let process = deployment.serve(&database, &address);
        Node { address, process }
    });
    load(&deployment, "simulate:seed=3,trips=2000,days=1").await;
    deployment.drained(&database).await;
    let mut shown = None;
    wait_until(
        "both nodes show the same, at the published clock",
        async || {
            let docks = [nodes[0].docks().await, nodes[1].docks().await];
            let clock = database.value("select at from replay_clock").await;
            shown.clone_from(&docks[0]);
            docks[0] == docks[1] && is_at(docks[0].as_ref(), &clock)
        },
    )
    .await;

    let [killed, survivor] = nodes;
    drop(killed.process);
    load(&deployment, "simulate:seed=3,trips=4000,days=2").await;
    deployment.drained(&database).await;
    let clock = database.value("select at from replay_clock").await;
    wait_until("the other one shows what is new", async || {
        let docks = survivor.docks().await;
        docks != shown && is_at(docks.as_ref(), &clock)
    })
    .await;
    terminate(survivor.process).await;
    terminate(sink).await;
}

/// Whether docks hold for the published clock, to the second.
fn is_at(docks: Option<&Value>, clock: &str) -> bool {
    let second = |text: &str| text.get(..19).map(str::to_owned);
    let of_docks = docks.and_then(|docks| second(docks[0].as_str()?));
    of_docks.is_some() && of_docks == second(clock)
}

async fn load(deployment: &Deployment, city: &str) {
    let mut producer = deployment.produce(city, "max");
    wait_until("all is sent", async || {
        producer.try_wait().unwrap().is_some()
    })
    .await;
    assert!(producer.wait().unwrap().success());
}
