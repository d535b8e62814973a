//! What pages show to whose token is for some datasets, of a server that has begun work.

use super::*;
use std::collections::BTreeSet;

/// Others call their data as answers call their fields and what they say.
#[test]
fn pages_are_whole_whatever_others_call_their_data() {
    let mut graph: Value = serde_json::from_str(&two_regions()).unwrap();
    let mut names = BTreeSet::new();
    words(&description()["components"]["schemas"], &mut names);
    names.extend(["all", "now", "completed", "interactive", "eu", "time"].map(str::to_owned));
    assert!(names.len() > 300, "{names:?}");
    for name in names {
        let path = format!("out/of_others/{name}/data");
        graph["datasets"].as_array_mut().unwrap().push(json!({
            "name": name, "label": format!("//others:{name}"), "external": true, "dims": [], "path": path,
        }));
    }
    let day = |dataset: &str| json!({"targets": [format!("{dataset}/day=2024-01-01")]});
    let wants = ["us_raw", "eu_in", "eu_sales"].map(day);
    let regions = Regions::with(Server::running(&graph.to_string()), &wants, &[day("eu_sales")]);
    for (page, status) in pages(&regions.own) {
        let (found, body) = regions.ask("GET", &page, "");
        assert_eq!(found, status, "{page}: {body}");
    }
}

/// Names of fields and parameters, and words of closed lists.
fn words(schema: &Value, found: &mut BTreeSet<String>) {
    let fields = schema["properties"].as_object().into_iter().flatten();
    found.extend(fields.map(|(name, _)| name.clone()));
    let values = schema["enum"].as_array().into_iter().flatten();
    found.extend(values.filter_map(Value::as_str).map(str::to_owned));
    match schema {
        Value::Object(fields) => fields.values().for_each(|value| words(value, found)),
        Value::Array(items) => items.iter().for_each(|value| words(value, found)),
        _ => {}
    }
}

#[test]
fn every_link_of_a_page_leads_to_what_is_seen() {
    let regions = Regions::start();
    let mut found: BTreeSet<String> = ["/".to_owned()].into();
    let mut left: Vec<String> = vec!["/".to_owned()];
    while let Some(target) = left.pop() {
        let (status, body) = regions.ask("GET", &target, "");
        assert!([200, 303].contains(&status), "{target} {status}: {body}");
        for link in body.split(" href=\"").skip(1) {
            let link = link.split('"').next().unwrap().split('#').next().unwrap().replace("&amp;", "&");
            // Of many alike, some do.
            let alike = |known: &&String| known.split('?').next() == link.split('?').next();
            if link.starts_with('/') && found.iter().filter(alike).count() < 12 && found.insert(link.clone())
            {
                left.push(link);
            }
        }
    }
    assert!(found.len() > 60, "{found:?}");
}
