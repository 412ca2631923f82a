//! The menu: a file that the gateway is told of, or the one that it brings.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, ensure};
use clap::Args;
use pizza_domain::Menu;

/// The menu of a gateway that is given no other.
const DEFAULT: &str = include_str!("../menu.toml");

/// The longest menu, in bytes. One of [`Menu::MAX_ITEMS`] flavours is well
/// below it.
const MAX_BYTES: u64 = 256 * 1024;

/// Which menu the gateway has.
#[derive(Args, Clone, Debug)]
pub(crate) struct MenuArgs {
    /// The menu, a TOML file: flavours with a price for each size, and the
    /// price of a pizza that is not on it; by default the one in pizza/menu.toml
    #[arg(long, value_name = "FILE", env = "PIZZA_MENU")]
    menu: Option<PathBuf>,
}

impl MenuArgs {
    /// The menu, checked.
    pub(crate) fn read(&self) -> anyhow::Result<Arc<Menu>> {
        let menu = match &self.menu {
            Some(file) => read(file)
                .with_context(|| format!("the menu in {} (--menu, PIZZA_MENU)", file.display()))?,
            None => toml::from_str(DEFAULT).context("the menu that this build brings")?,
        };
        Ok(Arc::new(menu))
    }
}

fn read(file: &Path) -> anyhow::Result<Menu> {
    let mut text = String::new();
    File::open(file)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_string(&mut text))
        .context("it cannot be read")?;
    ensure!(
        text.len() as u64 <= MAX_BYTES,
        "it must be at most {MAX_BYTES} bytes"
    );
    toml::from_str(&text).context("it is no menu")
}

#[cfg(test)]
mod tests {
    use pizza_domain::{Money, Size};

    use super::*;

    fn refusal(menu: &str) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("menu.toml");
        std::fs::write(&file, menu).expect("written");
        let args = MenuArgs { menu: Some(file) };
        format!("{:#}", args.read().expect_err(menu))
    }

    #[test]
    fn the_menu_that_is_brought_has_the_documented_prices() {
        let menu = MenuArgs { menu: None }.read().expect("a menu");
        let price = |flavour: &str, size| {
            let flavour = flavour.parse().expect("a flavour");
            menu.prices_of(&flavour).of(size)
        };
        for flavour in ["plain", "Hawaiian", "PINEAPPLE"] {
            for (size, minor) in Size::ALL.into_iter().zip([900, 1200, 1500]) {
                assert_eq!(price(flavour, size), Money::from_minor(minor), "{flavour}");
            }
        }
        for size in Size::ALL {
            assert!(price("gravel", size) > price("plain", size), "{size}");
        }
    }

    #[test]
    fn a_bad_menu_is_named_with_its_file_its_field_and_the_limit() {
        let custom = "[custom]\nsmall = 1\nmedium = 1\nlarge = 1\n";
        let item = |flavour: &str, medium: &str| {
            format!(
                "[[items]]\nflavour = \"{flavour}\"\n\
                 prices = {{ small = 1, medium = {medium}, large = 1 }}\n"
            )
        };
        for (menu, parts) in [
            (String::new(), &["custom"][..]),
            ("custom = 3".to_owned(), &["custom"]),
            ("[custom]\nsmall = 1\nmedium = 1".to_owned(), &["large"]),
            (format!("{custom}tiny = 1"), &["tiny"]),
            (format!("{custom}[special]"), &["special"]),
            (
                format!("{custom}{}", item("plain", "0")),
                &["plain", "medium", "from 1 to 1000000", "not 0"],
            ),
            (
                format!("{custom}{}", item("plain", "1000001")),
                &["plain", "medium", "from 1 to 1000000"],
            ),
            (
                custom.replace("large = 1", "large = -1"),
                &["custom", "large", "from 1 to 1000000"],
            ),
            (format!("{custom}{}", item("plain", "12.5")), &["medium"]),
            (
                format!("{custom}{}", item(&"x".repeat(65), "1")),
                &["flavour", "1 to 64"],
            ),
            (
                format!("{custom}{}{}", item("plain", "1"), item("PLAIN", "1")),
                &["items", "PLAIN", "once"],
            ),
            (
                (0..=200).fold(custom.to_owned(), |menu, n| {
                    menu + item(&n.to_string(), "1").as_str()
                }),
                &["items", "at most 200"],
            ),
            ("#".repeat(256 * 1024 + 1), &["at most 262144 bytes"]),
        ] {
            let told = refusal(&menu);
            assert!(told.contains("menu.toml (--menu, PIZZA_MENU)"), "{told}");
            for part in parts {
                assert!(told.contains(part), "{part:?} is not in: {told}");
            }
        }
    }

    #[test]
    fn a_menu_that_is_not_there_is_named() {
        let args = MenuArgs {
            menu: Some(PathBuf::from("/nowhere/menu.toml")),
        };
        let told = format!("{:#}", args.read().expect_err("nothing there"));
        assert!(told.contains("/nowhere/menu.toml"), "{told}");
    }
}
