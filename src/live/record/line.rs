//! One line of a recording as it is in JSON; fields that a type does not use stay `None`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Text borrowed from the line where it holds no escapes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

/// Every field of every line type, in the order in which they are written.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Line<'a> {
    #[serde(borrow, rename = "type", skip_serializing_if = "Option::is_none")]
    pub(super) line_type: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) t_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) target: Option<u32>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<Id<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) role: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) peer: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) state: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) site: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) group: Option<Vec<Text<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) awake: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unseen: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) silent_since_ms: Option<i64>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) label: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fd: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) inode: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) inherited_by: Option<u32>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) frames: Option<Vec<Text<'a>>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) born_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) flow: Option<FlowPart>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) poll: Option<PollPart<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) place: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) since_ms: Option<i64>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) opener: Option<OpenerPart<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pre: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) start_up: Option<bool>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) proved: Option<bool>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) numbers: Option<BTreeMap<Text<'a>, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) used: Option<u64>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) basis: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) opened: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) closed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) failed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lives: Option<Vec<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lives_ms: Option<u64>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) watermark_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cost_us: Option<u64>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) event: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pids: Option<Cow<'a, [u32]>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) uptime_ms: Option<i64>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) command: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) selector: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) format: Option<(u16, u16)>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) poolscan: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) wall_start_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bucket_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lifetime_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sources: Option<bool>,
}

/// What is under way on a socket, as a part of a line.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct FlowPart {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sent_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) received_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) heard_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unread: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unsent: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) retries: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) waiting_since_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) opening: Option<bool>,
}

/// How a task fares, as a part of a line.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct PollPart<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) running_since_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lost_since_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) spinning_since_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stuck_since_ms: Option<i64>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) waits_for: Option<Text<'a>>,
}

/// A place that opens handles, as a part of a line.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct OpenerPart<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) function: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) line: Option<u32>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) module: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) through: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) families: Option<Vec<Text<'a>>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) call: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) certain: Option<bool>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) unknown: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) stack: Option<Vec<Text<'a>>>,
}

/// The two fields that keep their meaning in all versions, for lines that do not fit [`Line`].
#[derive(Debug, Deserialize)]
pub(super) struct Probe<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) line_type: Text<'a>,
    #[serde(borrow)]
    pub(super) format: Option<&'a serde_json::value::RawValue>,
}

/// A handle's id: a number, or any text in files that another tool wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Id<'a> {
    Number(u64),
    Name(Cow<'a, str>),
}

impl Serialize for Id<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Name(name) => serializer.serialize_str(name),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Id<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IdVisitor;
        impl<'de> Visitor<'de> for IdVisitor {
            type Value = Id<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or a text")
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
                Ok(Id::Number(number))
            }
            fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(Id::Name(Cow::Borrowed(name)))
            }
            fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Id::Name(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_any(IdVisitor)
    }
}

/// A gauge's or limit's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value {
    /// A whole number.
    Unsigned(u64),
    /// Any other; what JSON has no number for is written as `"inf"`, `"-inf"`, `"nan"`.
    Float(f64),
    /// `"unlimited"`, of limits.
    Unlimited,
}

/// Below this, every whole number is an exact `f64`.
const EXACT: f64 = (1_u64 << 53) as f64;

impl Value {
    /// Whole numbers are written as such: shorter, and as one would write them by hand.
    pub(super) fn of_gauge(value: f64) -> Self {
        if value.is_sign_positive() && value < EXACT && value.fract() == 0.0 {
            Self::Unsigned(value as u64)
        } else {
            Self::Float(value)
        }
    }

    /// The value of a gauge; `None` when this cannot be one.
    pub(super) fn gauge(self) -> Option<f64> {
        match self {
            Self::Unsigned(value) => Some(value as f64),
            Self::Float(value) => Some(value),
            Self::Unlimited => None,
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Unsigned(value) => serializer.serialize_u64(value),
            Self::Float(value) if value.is_nan() => serializer.serialize_str("nan"),
            Self::Float(value) if value == f64::INFINITY => serializer.serialize_str("inf"),
            Self::Float(value) if value == f64::NEG_INFINITY => serializer.serialize_str("-inf"),
            Self::Float(value) => serializer.serialize_f64(value),
            Self::Unlimited => serializer.serialize_str("unlimited"),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ValueVisitor;
        impl Visitor<'_> for ValueVisitor {
            type Value = Value;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or \"unlimited\"")
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
                Ok(Value::Unsigned(value))
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
                Ok(Value::Float(value as f64))
            }
            fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
                Ok(Value::Float(value))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
                match text {
                    "unlimited" => Ok(Value::Unlimited),
                    "inf" => Ok(Value::Float(f64::INFINITY)),
                    "-inf" => Ok(Value::Float(f64::NEG_INFINITY)),
                    "nan" => Ok(Value::Float(f64::NAN)),
                    other => Err(E::invalid_value(serde::de::Unexpected::Str(other), &self)),
                }
            }
        }
        deserializer.deserialize_any(ValueVisitor)
    }
}
