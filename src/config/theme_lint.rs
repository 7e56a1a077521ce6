//! What is wrong with the colours of a theme: too little contrast, and severities that look alike.

use serde::Serialize;

use super::colour::Light;
use super::theme::{Role, Theme, Vision};

/// The contrast that text needs (WCAG 2.2, 1.4.3, level AA).
const TEXT: f64 = 4.5;
/// The contrast of what is no text: frames (WCAG 2.2, 1.4.11).
const SHAPE: f64 = 3.0;
/// Below this distance two colours are not told apart at a glance. Just seen is 2.
const APART: f64 = 20.0;
/// The roles that stand for states, whose difference must be seen.
const STATES: [Role; 5] = [Role::Ok, Role::Warn, Role::Crit, Role::Unknown, Role::Vip];

/// The contrast of a role with what lies behind it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Contrast {
    /// The role.
    pub role: Role,
    /// The ratio of WCAG 2.2, 1 to 21; `None` where a colour is the terminal's own.
    pub ratio: Option<f64>,
    /// What it must at least be.
    pub least: f64,
}

/// Two states that look alike.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Alike {
    /// One.
    pub one: Role,
    /// The other.
    pub other: Role,
    /// For whom; `None` is everybody.
    pub vision: Option<Vision>,
    /// Their distance in CIE 1976 L*a*b*.
    pub distance: f64,
    /// Whether the theme is made for this vision, so that it is a mistake and no note.
    pub claimed: bool,
}

/// What was found about a theme.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ThemeLint {
    /// Every role that is drawn on something.
    pub contrasts: Vec<Contrast>,
    /// States that look alike.
    pub alike: Vec<Alike>,
}

impl ThemeLint {
    /// Looks at the exact colours of `theme`.
    #[must_use]
    pub fn new(theme: &Theme) -> Self {
        let ratio = |role: Role, behind: Role| Some(theme.colour(role).seen()?.contrast(theme.colour(behind).seen()?));
        let contrasts = Role::ALL.into_iter().filter_map(|role| {
            let (behind, least) = match role {
                Role::Background | Role::Focus => return None,
                Role::FocusText => (Role::Focus, TEXT),
                Role::Border => (Role::Background, SHAPE),
                _ => (Role::Background, TEXT),
            };
            Some(Contrast { role, ratio: ratio(role, behind), least })
        });
        let mut alike = Vec::new();
        for vision in [None, Some(Vision::Deuteranopia), Some(Vision::Protanopia), Some(Vision::Tritanopia)] {
            for (index, one) in STATES.into_iter().enumerate() {
                for other in STATES.into_iter().skip(index + 1) {
                    let (Some(a), Some(b)) = (theme.colour(one).seen(), theme.colour(other).seen()) else { continue };
                    let distance = seen_by(vision, a).distance(seen_by(vision, b));
                    if distance < APART {
                        let claimed = vision.is_none() || vision == theme.vision;
                        alike.push(Alike { one, other, vision, distance, claimed });
                    }
                }
            }
        }
        Self { contrasts: contrasts.collect(), alike }
    }

    /// The contrasts that are too low.
    pub fn low(&self) -> impl Iterator<Item = &Contrast> {
        self.contrasts.iter().filter(|contrast| contrast.ratio.is_some_and(|ratio| ratio < contrast.least))
    }

    /// How many contrasts cannot be known.
    #[must_use]
    pub fn not_known(&self) -> usize {
        self.contrasts.iter().filter(|contrast| contrast.ratio.is_none()).count()
    }

    /// Whether it holds what it should.
    #[must_use]
    pub fn is_fine(&self) -> bool {
        self.low().next().is_none() && self.alike.iter().all(|alike| !alike.claimed)
    }
}

/// A colour as it is seen: Machado, Oliveira and Fernandes, "A Physiologically-based Model for Simulation of Color
/// Vision Deficiency", 2009, severity 1.0, on linear light.
fn seen_by(vision: Option<Vision>, light: Light) -> Light {
    const DEUTERANOPIA: [[f64; 3]; 3] =
        [[0.367_322, 0.860_646, -0.227_968], [0.280_085, 0.672_501, 0.047_413], [-0.011_820, 0.042_940, 0.968_881]];
    const PROTANOPIA: [[f64; 3]; 3] =
        [[0.152_286, 1.052_583, -0.204_868], [0.114_503, 0.786_281, 0.099_216], [-0.003_882, -0.048_116, 1.051_998]];
    const TRITANOPIA: [[f64; 3]; 3] =
        [[1.255_528, -0.076_749, -0.178_779], [-0.078_411, 0.930_809, 0.147_602], [0.004_733, 0.691_367, 0.303_900]];
    match vision {
        None => light,
        Some(Vision::Deuteranopia) => light.through(&DEUTERANOPIA),
        Some(Vision::Protanopia) => light.through(&PROTANOPIA),
        Some(Vision::Tritanopia) => light.through(&TRITANOPIA),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Colour;
    use super::*;

    fn lint(text: &str) -> ThemeLint {
        ThemeLint::new(&Theme::read(text, "test.toml").expect("a theme"))
    }

    #[test]
    fn shipped_themes_hold_what_they_should() {
        for name in Theme::built_in_names() {
            let found = ThemeLint::new(&Theme::built_in(name).expect(name));
            let low: Vec<_> = found.low().collect();
            let claimed: Vec<_> = found.alike.iter().filter(|alike| alike.claimed).collect();
            assert!(found.is_fine(), "{name}: {low:?} {claimed:?}");
            assert_eq!(found.not_known() > 0, name == Theme::DEFAULT, "{name}");
            assert_eq!(Theme::built_in(name).expect(name).vision.is_some(), name.ends_with("opia"), "{name}");
        }
    }

    #[test]
    fn high_contrast_is_seven_to_one() {
        let found = ThemeLint::new(&Theme::built_in("high-contrast").expect("built in"));
        let lowest = found.contrasts.iter().filter_map(|contrast| contrast.ratio).fold(21.0, f64::min);
        assert!(lowest >= 7.0, "{lowest}");
    }

    #[test]
    fn in_256_colours_severities_of_shipped_themes_stay_apart() {
        for name in Theme::built_in_names().into_iter().filter(|name| *name != Theme::DEFAULT) {
            let theme = Theme::built_in(name).expect(name);
            let indexed = STATES.map(|role| match theme.colour(role) {
                Colour::Rgb(red, green, blue) => Colour::indexed(red, green, blue),
                colour => panic!("{name}: {colour}"),
            });
            let mut told = indexed.to_vec();
            told.sort_unstable();
            told.dedup();
            assert_eq!(told.len(), STATES.len(), "{name}: {indexed:?}");
        }
    }

    #[test]
    fn a_grey_on_grey_and_a_red_like_green_are_found() {
        let found = lint("base = \"light\"\nmuted = \"#aaaaaa\"\nborder = \"#999999\"\n");
        let low: Vec<Role> = found.low().map(|contrast| contrast.role).collect();
        assert_eq!(low, [Role::Muted, Role::Border]);
        let colours = "base = \"dark\"\nok = \"#8fd18b\"\ncrit = \"#e6a07a\"\n";
        assert!(lint(colours).is_fine(), "everybody else sees the difference");
        let found = lint(&format!("vision = \"deuteranopia\"\n{colours}"));
        let pairs: Vec<_> =
            found.alike.iter().filter(|alike| alike.claimed).map(|alike| (alike.one, alike.other)).collect();
        assert!(pairs.contains(&(Role::Ok, Role::Crit)), "{pairs:?}");
    }
}
