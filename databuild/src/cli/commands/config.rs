//! `config`: each setting, and where its value comes from.

use crate::api::Setting;
use crate::cli::connect;
use crate::cli::error::CliError;
use crate::cli::shared_args::GlobalArgs;
use crate::cli::{exit_code, output};
use crate::config::{Flags, Row, KEYS};
use clap::Args;
use databuild_core::text::{nearest, shown};
use serde::Serialize;

/// Arguments of `config`.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// Print only the value of this setting
    #[arg(value_name = "SETTING")]
    pub setting: Option<String>,
}

/// What `config --json` prints.
#[derive(Debug, Serialize)]
struct Config {
    /// Files that were read, the weakest first.
    files: Vec<String>,
    data: Vec<Setting>,
}

/// Runs it.
///
/// # Errors
/// The settings cannot be read, or none has the name.
pub fn run(global: &GlobalArgs, args: &ConfigArgs) -> Result<u8, CliError> {
    let (_, settings) = connect::configured(global, Flags::default())?;
    if let Some(name) = &args.setting {
        let Some(row) = settings.row(name) else { return Err(unknown(name)) };
        if global.json {
            output::json(&setting(row))?;
        } else {
            output::line(&row.value());
        }
        return Ok(exit_code::OK);
    }
    let files = settings.files().iter().map(|path| path.display().to_string()).collect();
    let config = Config { files, data: settings.rows().iter().map(setting).collect() };
    if global.json {
        output::json(&config)?;
        return Ok(exit_code::OK);
    }
    let cells = |setting: &Setting| {
        let value = if setting.value.is_empty() { "-" } else { &setting.value };
        vec![setting.name.clone(), value.to_owned(), setting.from.clone(), setting.meaning.clone()]
    };
    let mut table = output::Table::new(&["SETTING", "VALUE", "FROM", "MEANING"]);
    for setting in &config.data {
        table.row(cells(setting));
    }
    table.print();
    Ok(exit_code::OK)
}

/// A setting as people and programs are told of it.
pub(super) fn setting(row: &Row) -> Setting {
    let Row { key, source, .. } = row;
    Setting {
        name: key.name.to_owned(),
        value: row.value(),
        from: source.to_string(),
        meaning: key.meaning.to_owned(),
    }
}

fn unknown(name: &str) -> CliError {
    let error = CliError::new("unknown_setting", format!("there is no setting `{}`", shown(name)));
    match nearest(name, KEYS.iter().map(|key| key.name)) {
        near if near.is_empty() => error.hint("databuild config shows all"),
        near => error.hint(format!("did you mean {}?", near.join(" or "))),
    }
}
