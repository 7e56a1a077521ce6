//! What goes wrong, and where.

use aurora::model::LayerKind;

use super::chance::Chance;

/// Where a fault strikes, on the way of an order to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Point {
    BeforeConnect,
    AfterConnect,
    HalfFrame,
    AfterFrame,
    AfterMkdir,
    AfterReq,
    AfterStarted,
    AfterExec,
    AfterResult,
    AfterAck,
}

impl Point {
    pub const ALL: [Self; 10] = [
        Self::BeforeConnect,
        Self::AfterConnect,
        Self::HalfFrame,
        Self::AfterFrame,
        Self::AfterMkdir,
        Self::AfterReq,
        Self::AfterStarted,
        Self::AfterExec,
        Self::AfterResult,
        Self::AfterAck,
    ];

    pub fn words(self) -> &'static str {
        match self {
            Self::BeforeConnect => "before connect",
            Self::AfterConnect => "after connect",
            Self::HalfFrame => "half a frame",
            Self::AfterFrame => "after the frame",
            Self::AfterMkdir => "after mkdir",
            Self::AfterReq => "after req",
            Self::AfterStarted => "after started",
            Self::AfterExec => "after exec, before the result",
            Self::AfterResult => "after the result, before the ack",
            Self::AfterAck => "after the ack",
        }
    }
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Error,
    Stall,
    Kill,
    Reboot,
    DiskFull,
    ClockAhead,
    ClockBack,
    EngineCrash,
}

impl Kind {
    pub const ALL: [Self; 8] = [
        Self::Error,
        Self::Stall,
        Self::Kill,
        Self::Reboot,
        Self::DiskFull,
        Self::ClockAhead,
        Self::ClockBack,
        Self::EngineCrash,
    ];

    pub fn words(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Stall => "30 s stall",
            Self::Kill => "agent kill -9",
            Self::Reboot => "restart, new boot id",
            Self::DiskFull => "disk full",
            Self::ClockAhead => "clock +1 h",
            Self::ClockBack => "clock -1 h",
            Self::EngineCrash => "engine kill -9",
        }
    }
}

/// One fault of a run.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    pub point: Point,
    pub kind: Kind,
    /// Only on this road.
    pub road: Option<LayerKind>,
    /// How often the point is passed before it strikes.
    pub after: u64,
    pub struck: bool,
}

impl Fault {
    pub fn random(chance: &mut Chance, roads: &[LayerKind]) -> Self {
        Self {
            point: chance.pick(&Point::ALL),
            kind: chance.pick(&Kind::ALL),
            road: chance.percent(70).then(|| chance.pick(roads)),
            after: if chance.percent(70) { 0 } else { chance.below(4) },
            struck: false,
        }
    }
}
