//! The dashboards and rules of `deploy/`, held against what there is.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use promql_parser::parser::{self, Expr};
use serde_json::Value;

use crate::harness::folder;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn yaml(path: &str) -> Value {
    let text = fs::read_to_string(root().join(path)).expect(path);
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn rules() -> Vec<Value> {
    let rules = yaml("deploy/prometheus/rules/pizza.yml");
    let groups = rules["groups"].as_array().expect("groups");
    let of_group = |group: &Value| group["rules"].as_array().expect("rules").clone();
    groups.iter().flat_map(of_group).collect()
}

fn dashboards() -> Vec<(String, Value)> {
    let folder = root().join("deploy/grafana/dashboards");
    let files = fs::read_dir(folder).expect("dashboards");
    files
        .map(|file| {
            let path = file.expect("a file").path();
            let name = path.display().to_string();
            let text = fs::read_to_string(&path).expect("text");
            let read = serde_json::from_str(&text);
            let dashboard = read.unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, dashboard)
        })
        .collect()
}

fn targets(dashboard: &Value) -> impl Iterator<Item = &Value> {
    let panels = dashboard["panels"].as_array().expect("panels");
    panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().expect("targets"))
}

/// Every expression, and where it stands.
fn expressions() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for rule in rules() {
        let name = rule["alert"].as_str().expect("a name").to_owned();
        all.push((
            name,
            rule["expr"].as_str().expect("an expression").to_owned(),
        ));
    }
    for (name, dashboard) in dashboards() {
        for target in targets(&dashboard) {
            let expression = target["expr"].as_str().expect("an expression");
            // Grafana puts a duration there.
            let expression = expression.replace("$__rate_interval", "5m");
            all.push((name.clone(), expression));
        }
    }
    all
}

fn parsed() -> Vec<Expr> {
    expressions()
        .into_iter()
        .map(|(name, text)| {
            parser::parse(&text).unwrap_or_else(|error| panic!("{name}: {text}: {error}"))
        })
        .collect()
}

/// The names of all metrics that a rule or a dashboard looks at.
pub(super) fn metrics_named() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for expression in parsed() {
        note(&expression, &mut names);
    }
    assert!(names.len() > 40, "{names:?}");
    names
}

fn note(expression: &Expr, names: &mut BTreeSet<String>) {
    match expression {
        Expr::VectorSelector(selector) => names.extend(selector.name.clone()),
        Expr::MatrixSelector(selector) => names.extend(selector.vs.name.clone()),
        Expr::Aggregate(aggregate) => note(&aggregate.expr, names),
        Expr::Unary(unary) => note(&unary.expr, names),
        Expr::Binary(binary) => {
            note(&binary.lhs, names);
            note(&binary.rhs, names);
        }
        Expr::Paren(paren) => note(&paren.expr, names),
        Expr::Subquery(subquery) => note(&subquery.expr, names),
        Expr::Call(call) => call.args.args.iter().for_each(|it| note(it, names)),
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => {}
    }
}

#[test]
fn every_expression_of_rules_and_dashboards_parses() {
    assert!(parsed().len() > 80);
}

#[test]
fn every_alert_has_its_severity_and_its_paragraph_in_the_runbook() {
    let runbook = fs::read_to_string(root().join("docs/runbook.md")).expect("the runbook");
    let mut names = BTreeSet::new();
    for rule in rules() {
        let name = rule["alert"].as_str().expect("a name");
        assert!(names.insert(name.to_owned()), "{name} stands there twice");
        let severity = rule["labels"]["severity"].as_str().expect("a severity");
        assert!(["warning", "critical"].contains(&severity), "{name}");
        let annotations = &rule["annotations"];
        for text in ["summary", "description"] {
            assert!(annotations[text].is_string(), "{name}: {text}");
        }
        let anchor = format!("docs/runbook.md#{}", name.to_lowercase());
        assert_eq!(annotations["runbook_url"], anchor, "{name}");
        let (_, after) = runbook
            .split_once(&format!("\n### {name}\n"))
            .unwrap_or_else(|| panic!("{name} has no paragraph in the runbook"));
        let paragraph = after.split("\n#").next().unwrap_or_default();
        assert!(paragraph.len() > 150, "{name}: {paragraph}");
    }
    // And nothing there tells of a rule that is gone.
    let told = runbook
        .lines()
        .filter_map(|line| line.strip_prefix("### Pizza"));
    for name in told {
        assert!(names.contains(&format!("Pizza{name}")), "Pizza{name}");
    }
}

#[test]
fn every_panel_has_a_source_that_is_provisioned() {
    let sources = yaml("deploy/grafana/provisioning/datasources/pizza.yml");
    let sources: BTreeSet<_> = sources["datasources"]
        .as_array()
        .expect("sources")
        .iter()
        .map(|source| source["uid"].as_str().expect("a uid").to_owned())
        .collect();
    let mut uids = BTreeSet::new();
    for (name, dashboard) in dashboards() {
        let uid = dashboard["uid"].as_str().expect("a uid");
        assert!(uids.insert(uid.to_owned()), "{name}: {uid} is taken");
        assert!(dashboard["title"].is_string(), "{name}");
        for panel in dashboard["panels"].as_array().expect("panels") {
            let parts = panel["targets"].as_array().expect("targets");
            for part in parts.iter().chain([panel]) {
                let source = part["datasource"]["uid"].as_str().expect("a source");
                assert!(sources.contains(source), "{name}: {source}");
            }
        }
    }
    assert_eq!(uids.len(), 5, "{uids:?}");
}

#[test]
fn prometheus_finds_every_worker_and_the_gateway() {
    let config = yaml("deploy/prometheus/prometheus.yml").to_string();
    for queue in pizza_workflows::names::task_queue::ALL {
        assert!(config.contains(&format!("\"worker-{queue}\"")), "{queue}");
    }
    assert!(config.contains("\"gateway\"") && config.contains("9464"));
    let tempo = yaml("deploy/tempo/tempo.yml");
    let receiver = &tempo["distributor"]["receivers"]["otlp"]["protocols"]["grpc"];
    assert_eq!(receiver["endpoint"], "0.0.0.0:4317");
    yaml("deploy/grafana/provisioning/dashboards/pizza.yml");
}

#[test]
fn the_rules_are_what_prometheus_takes_and_raise_alerts_when_they_should() {
    let Some(promtool) = promtool() else {
        println!(
            "SKIPPED: there is no promtool, and none could be fetched. Put one on the PATH, or name \
             it in PROMTOOL, to try the alert rules"
        );
        return;
    };
    let deploy = root().join("deploy/prometheus");
    for arguments in [
        ["check", "config", "prometheus.yml"],
        ["test", "rules", "tests/pizza.yml"],
    ] {
        let output = Command::new(&promtool)
            .args(arguments)
            .current_dir(&deploy)
            .output()
            .expect("promtool runs");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }
}

/// The one that is named, the one on the path, or Debian's.
fn promtool() -> Option<PathBuf> {
    let named = std::env::var_os("PROMTOOL").map(PathBuf::from);
    let answers = |tool: &PathBuf| Command::new(tool).arg("--version").output().is_ok();
    [named, Some("promtool".into())]
        .into_iter()
        .flatten()
        .find(answers)
        .or_else(from_debian)
}

/// Debian's package, taken apart without root. What was fetched once is kept.
fn from_debian() -> Option<PathBuf> {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("promtool");
    if kept.is_file() {
        return Some(kept);
    }
    let folder = folder::new("promtool");
    let run = |program: &str, arguments: &[&str]| {
        let mut command = Command::new("timeout");
        command.arg("60").arg(program).args(arguments);
        let output = command.current_dir(&folder).output().ok()?;
        output.status.success().then_some(())
    };
    run("apt-get", &["download", "prometheus"])?;
    let package = fs::read_dir(&folder).ok()?.flatten().next()?.path();
    run("dpkg-deb", &["-x", package.to_str()?, "."])?;
    fs::rename(folder.join("usr/bin/promtool"), &kept).ok()?;
    Some(kept)
}
