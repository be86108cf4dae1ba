//! Root's databases below a folder that the server's account may not enter.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use embedded_postgres::{LeftOver, PostgresError, left_over};

use crate::support::{DataFolder, add_row};

/// Removes where a link leads to, and the parent if nothing else is in it.
struct Elsewhere(PathBuf);

impl Drop for Elsewhere {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
        if let Some(parent) = self
            .0
            .parent()
            .filter(|p| p.read_dir().unwrap().next().is_none())
        {
            std::fs::remove_dir(parent).unwrap();
        }
    }
}

/// As in a container where the project was cloned into `/root`.
#[tokio::test]
async fn root_below_a_closed_folder_gets_a_database_elsewhere_that_is_found_again_while_linked() {
    if !rustix::process::geteuid().is_root() {
        return; // Only root runs the server as somebody else.
    }
    let folder = DataFolder::new();
    std::fs::set_permissions(folder.temp.path(), Permissions::from_mode(0o700)).unwrap();
    let postgres = folder.start().await;
    let elsewhere = Elsewhere(std::fs::read_link(&folder.data).unwrap());
    assert!(
        elsewhere.0.starts_with("/var/lib/bikeshare"),
        "{}",
        elsewhere.0.display()
    );
    assert_eq!(add_row(postgres.url()).await, 1);
    postgres.shutdown().await.unwrap();

    let postgres = folder.start().await;
    assert_eq!(add_row(postgres.url()).await, 2);
    postgres.shutdown().await.unwrap();

    let left = LeftOver {
        database: elsewhere.0.clone(),
        linked_from: folder.data.clone(),
    };
    assert!(!left_over().contains(&left), "it is linked");
    std::fs::remove_file(&folder.data).unwrap();
    assert!(left_over().contains(&left));
}

#[tokio::test]
async fn a_database_moved_below_a_closed_folder_is_refused_and_the_folder_named() {
    if !rustix::process::geteuid().is_root() {
        return; // Only root runs the server as somebody else.
    }
    let folder = DataFolder::new();
    folder.start().await.shutdown().await.unwrap();
    std::fs::set_permissions(folder.temp.path(), Permissions::from_mode(0o700)).unwrap();
    let PostgresError::Blocked { folder: closed, .. } = folder.refusal().await else {
        panic!()
    };
    assert_eq!(closed, folder.temp.path());
}
