//! The variables of the OpenTelemetry specification that traces follow.
//!
//! The libraries read most of them themselves, and pass over what they cannot
//! use. So each is checked before, whether traces are on or not.

use std::env;

use anyhow::{Context, bail, ensure};
use http::{HeaderName, HeaderValue};
use url::Url;

/// Where traces go; without it, there are none.
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// The same for traces alone, which goes before.
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";

/// Switches all of it off.
const DISABLED: &str = "OTEL_SDK_DISABLED";
/// What exports traces.
const EXPORTER: &str = "OTEL_TRACES_EXPORTER";

/// What is told of the process itself.
const RESOURCE_ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";

const QUEUE_SIZE: &str = "OTEL_BSP_MAX_QUEUE_SIZE";
const BATCH_SIZE: &str = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE";

/// The samplers of the specification that this build has.
const SAMPLERS: [&str; 6] = [
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
];

/// What a value is held against.
struct Rule {
    variables: &'static [&'static str],
    holds: fn(&str) -> bool,
    /// What a value must be.
    must_be: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        variables: &[ENDPOINT, TRACES_ENDPOINT],
        holds: is_endpoint,
        must_be: "the http:// URL of a collector that takes OTLP over gRPC, such as \
                  http://127.0.0.1:4317, without a path or a password (for one that wants TLS, \
                  run a collector beside the process)",
    },
    Rule {
        variables: &[
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
        ],
        holds: |value| value == "grpc",
        must_be: "grpc, the one protocol that this build speaks",
    },
    Rule {
        variables: &[
            "OTEL_EXPORTER_OTLP_INSECURE",
            "OTEL_EXPORTER_OTLP_TRACES_INSECURE",
        ],
        holds: |value| value.eq_ignore_ascii_case("true"),
        must_be: "true: this build sends traces without TLS",
    },
    Rule {
        variables: &[
            "OTEL_EXPORTER_OTLP_HEADERS",
            "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
        ],
        holds: are_headers,
        must_be: "NAME=VALUE, with commas between several, other than printable ASCII as %XX",
    },
    Rule {
        variables: &[
            "OTEL_EXPORTER_OTLP_TIMEOUT",
            "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
            "OTEL_BSP_SCHEDULE_DELAY",
            "OTEL_BSP_EXPORT_TIMEOUT",
        ],
        holds: |value| is_within(value, 1, 3_600_000),
        must_be: "a whole number of milliseconds from 1 to 3600000",
    },
    Rule {
        variables: &[QUEUE_SIZE, BATCH_SIZE],
        holds: |value| is_within(value, 1, 1_000_000),
        must_be: "a whole number from 1 to 1000000",
    },
    Rule {
        variables: &["OTEL_BSP_MAX_CONCURRENT_EXPORTS"],
        holds: |value| value == "1",
        must_be: "1: this build sends one batch at a time",
    },
    Rule {
        variables: &[
            "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
            "OTEL_SPAN_EVENT_COUNT_LIMIT",
            "OTEL_SPAN_LINK_COUNT_LIMIT",
        ],
        holds: |value| is_within(value, 0, u32::MAX.into()),
        must_be: "a whole number from 0 to 4294967295",
    },
    Rule {
        variables: &["OTEL_TRACES_SAMPLER"],
        holds: |value| SAMPLERS.contains(&value),
        must_be: "always_on, always_off or traceidratio, or one of them after parentbased_",
    },
    Rule {
        variables: &["OTEL_TRACES_SAMPLER_ARG"],
        holds: |value| {
            value
                .parse()
                .is_ok_and(|share: f64| (0.0..=1.0).contains(&share))
        },
        must_be: "a number from 0 to 1",
    },
    Rule {
        variables: &[RESOURCE_ATTRIBUTES],
        holds: |value| attributes(value).is_some(),
        must_be: "NAME=VALUE, with commas between several, and these, = and % within either as \
                  %XX of UTF-8",
    },
    Rule {
        variables: &["OTEL_PROPAGATORS"],
        // The baggage of clients does not travel on.
        holds: |value| value.trim() == "tracecontext",
        must_be: "tracecontext, the one propagator that this build has",
    },
    Rule {
        variables: &[
            "OTEL_EXPORTER_OTLP_COMPRESSION",
            "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION",
            "OTEL_EXPORTER_OTLP_CERTIFICATE",
            "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
            "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
            "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE",
            "OTEL_EXPORTER_OTLP_CLIENT_KEY",
            "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY",
            "OTEL_ATTRIBUTE_COUNT_LIMIT",
            "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
            "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
            "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
            "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT",
            "OTEL_CONFIG_FILE",
            "OTEL_EXPERIMENTAL_CONFIG_FILE",
        ],
        holds: |_| false,
        must_be: "unset: this build has nothing that obeys it",
    },
];

/// Where traces go, if anywhere.
///
/// # Errors
/// When a variable cannot be obeyed. It is named, and its value is not told.
pub(super) fn endpoint() -> anyhow::Result<Option<String>> {
    if let Some(value) = variable(DISABLED)? {
        match value.to_ascii_lowercase().as_str() {
            "true" => return Ok(None),
            "false" => {}
            _ => bail!("{DISABLED} must be true or false"),
        }
    }
    let exporter = variable(EXPORTER)?;
    match exporter.as_deref() {
        Some("none") => return Ok(None),
        None | Some("otlp") => {}
        Some(_) => bail!("{EXPORTER} must be otlp or none"),
    }
    check()?;
    let endpoint = match variable(TRACES_ENDPOINT)? {
        Some(endpoint) => Some(endpoint),
        None => variable(ENDPOINT)?,
    };
    ensure!(
        exporter.is_none() || endpoint.is_some(),
        "{EXPORTER} is otlp, and {ENDPOINT} does not say where to"
    );
    Ok(endpoint)
}

fn check() -> anyhow::Result<()> {
    for rule in RULES {
        for name in rule.variables {
            let holds = variable(name)?.is_none_or(|value| (rule.holds)(&value));
            ensure!(holds, "{name} must be {}", rule.must_be);
        }
    }
    let (queue, batch) = (size(QUEUE_SIZE, 2048)?, size(BATCH_SIZE, 1)?);
    ensure!(
        batch <= queue,
        "{BATCH_SIZE} must be at most {QUEUE_SIZE}, which is {queue}"
    );
    Ok(())
}

/// A number that was checked; `default` where there is none.
fn size(name: &str, default: u64) -> anyhow::Result<u64> {
    let value = variable(name)?;
    Ok(value.map_or(Ok(default), |value| value.parse())?)
}

/// What the environment tells of the process, decoded, which the library leaves
/// undone.
///
/// # Errors
/// When it is no text.
pub(super) fn resource_attributes() -> anyhow::Result<Vec<(String, String)>> {
    let list = variable(RESOURCE_ATTRIBUTES)?;
    Ok(list.as_deref().and_then(attributes).unwrap_or_default())
}

/// What a variable says; nothing where it says nothing.
///
/// # Errors
/// When that is no text.
pub(super) fn variable(name: &str) -> anyhow::Result<Option<String>> {
    let Some(value) = env::var_os(name) else {
        return Ok(None);
    };
    let value = value.into_string().ok();
    let value = value.with_context(|| format!("{name} must be text in UTF-8"))?;
    Ok(Some(value).filter(|value| !value.trim().is_empty()))
}

fn is_endpoint(value: &str) -> bool {
    Url::parse(value).is_ok_and(|url| {
        let has_secret = !url.username().is_empty() || url.password().is_some();
        let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        url.scheme() == "http" && url.has_host() && is_bare && !has_secret
    })
}

fn is_within(value: &str, least: u64, most: u64) -> bool {
    let is_plain = value.bytes().all(|byte| byte.is_ascii_digit());
    is_plain
        && value
            .parse()
            .is_ok_and(|number| (least..=most).contains(&number))
}

/// The names and values in a list; none for what is no pair.
fn pairs(list: &str) -> impl Iterator<Item = Option<(&str, &str)>> {
    let parts = list.split(',').filter(|part| !part.trim().is_empty());
    parts.map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        (!name.is_empty() && !value.is_empty()).then_some((name, value))
    })
}

fn are_headers(list: &str) -> bool {
    let is_printable = |value: &Vec<u8>| value.iter().all(|byte| (b' '..=b'~').contains(byte));
    pairs(list).all(|pair| {
        pair.is_some_and(|(name, value)| {
            // A gRPC header whose name ends so is binary, in base64.
            HeaderName::from_bytes(name.as_bytes()).is_ok()
                && !name.to_ascii_lowercase().ends_with("-bin")
                && decoded(value).is_some_and(|value| {
                    is_printable(&value) && HeaderValue::from_bytes(&value).is_ok()
                })
        })
    })
}

/// The names and values in a list, decoded; none where one of them cannot be.
fn attributes(list: &str) -> Option<Vec<(String, String)>> {
    let text = |encoded: &str| String::from_utf8(decoded(encoded)?).ok();
    let pair = |pair: Option<(&str, &str)>| {
        let (name, value) = pair?;
        Some((text(name)?, text(value)?))
    };
    pairs(list).map(pair).collect()
}

/// A text with its `%XX` decoded; none where there is no such byte.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?].map(char::from);
                let [high, low] = digits.map(|digit| digit.to_digit(16));
                u8::try_from(high? * 16 + low?).ok()?
            }
            byte => byte,
        });
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values that can be obeyed, and such that cannot, for each rule.
    const TRIED: &[(&str, &[&str], &[&str])] = &[
        (
            ENDPOINT,
            &["http://tempo:4317", "http://[::1]:4317/"],
            &[
                "collector",
                "tempo:4317",
                "https://tempo:4317",
                "http://tempo:4318/v1/traces",
                "http://me:secret@tempo:4317",
                "http://",
            ],
        ),
        (
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            &["grpc"],
            &["http/protobuf", "GRPC", "grpc "],
        ),
        ("OTEL_EXPORTER_OTLP_INSECURE", &["true"], &["false", "1"]),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            &["a=b,", "authorization=Bearer%20x, b=c=d", "x=50%25"],
            &[
                "a", "a=", "=b", "a b=c", "a=%0a", "a=%zz", "a=%2", "a=é", "k-bin=AA",
            ],
        ),
        (
            "OTEL_EXPORTER_OTLP_TIMEOUT",
            &["1", "10000"],
            &[
                "0",
                "-1",
                "+1",
                "10s",
                "1.5",
                "3600001",
                "99999999999999999999",
            ],
        ),
        (QUEUE_SIZE, &["1", "2048"], &["0", "1000001", "many"]),
        ("OTEL_BSP_MAX_CONCURRENT_EXPORTS", &["1"], &["2"]),
        (
            "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
            &["0", "128"],
            &["-1", "4294967296"],
        ),
        (
            "OTEL_TRACES_SAMPLER",
            &SAMPLERS,
            &["sometimes", "jaeger_remote", "ALWAYS_ON"],
        ),
        (
            "OTEL_TRACES_SAMPLER_ARG",
            &["0", "0.25", "1"],
            &["1.1", "-0.1", "NaN", "half"],
        ),
        (
            RESOURCE_ATTRIBUTES,
            &["a=b", "a=b, c=d", "a=b%20c%2C%C3%A9", "a=é", "a=b=c"],
            &[
                "a", "a=b,c", "=b", "a=%zz", "a=%2", "a=%", "a=100%", "a=%ff", "%zz=b",
            ],
        ),
        (
            "OTEL_PROPAGATORS",
            &["tracecontext", " tracecontext "],
            &[
                "b3",
                "baggage",
                "none",
                "tracecontext,b3",
                "tracecontext,baggage",
                "tracecontext,",
            ],
        ),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", &[], &["gzip", "none"]),
    ];

    #[test]
    fn a_value_that_cannot_be_obeyed_is_known_as_such() {
        assert_eq!(TRIED.len(), RULES.len());
        for ((name, good, bad), rule) in TRIED.iter().zip(RULES) {
            assert_eq!(*name, rule.variables[0]);
            for value in *good {
                assert!((rule.holds)(value), "{name}={value}");
            }
            for value in *bad {
                assert!(!(rule.holds)(value), "{name}={value}");
            }
        }
    }

    #[test]
    fn attributes_are_told_as_they_were_before_they_were_encoded() {
        let told = attributes("team=a%2Cb, shop%3Dname=Zo%C3%AB").expect("a list");
        let told: Vec<_> = told.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(told, [("team", "a,b"), ("shop=name", "Zoë")]);
    }
}
