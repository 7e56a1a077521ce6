//! The whitelist: a command's template and values become exactly what runs, or a refusal that names its rule.
//!
//! The engine makes plans here, and so does every agent, of its own templates: an order whose plan is not the one the
//! agent makes is not run.

use std::collections::BTreeMap;

use crate::model::{
    CommandTemplate, HostName, HostSelector, Label, Piece, Plan, PlanHash, Prompt, PromptTemplate, argv_pieces,
    is_unseen, quoted,
};

/// Words of a command at most.
pub const WORDS_MAX: usize = 256;
/// Bytes of all words and variables at most. An order has to fit one argument of a remote shell after base64, which
/// Linux limits to 128 KiB (`MAX_ARG_STRLEN`).
pub const BYTES_MAX: usize = 32 << 10;

/// Why something may not run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{rule}: {reason}")]
pub struct Denied {
    /// The rule, as `whitelist.argument action`.
    pub rule: String,
    /// In words. They are safe to show.
    pub reason: String,
}

impl Denied {
    fn new(rule: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { rule: rule.into(), reason: reason.into() }
    }
}

/// Exactly what runs. Only [`plan`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    plan: Plan,
    hash: PlanHash,
}

impl CommandLine {
    /// What runs, where.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Its hash.
    #[must_use]
    pub fn hash(&self) -> &PlanHash {
        &self.hash
    }

    /// Both.
    #[must_use]
    pub fn into_parts(self) -> (Plan, PlanHash) {
        (self.plan, self.hash)
    }
}

/// What `template` makes of `values` on `host`. Every value stays within the word its `{name}` is in.
///
/// # Errors
/// The first rule that refuses: `whitelist.argument NAME`, `whitelist.template`, `whitelist.size`.
pub fn plan(
    template: &CommandTemplate,
    values: &BTreeMap<String, String>,
    host: &HostName,
) -> Result<CommandLine, Denied> {
    let args = arguments(template, values)?;
    let (argv, keys) = match &template.keys {
        Some(keys) => (Vec::new(), Some(prompt(keys, &args, host)?)),
        None => (argv(template, &args)?, None),
    };
    let typed = keys.as_ref().map_or(0, |keys| keys.text.len());
    let env = template.env.iter().map(|(name, value)| name.len() + value.len() + 2);
    let bytes: usize = argv.iter().map(|word| word.len() + 1).chain(env).chain([typed]).sum();
    if argv.len() > WORDS_MAX || bytes > BYTES_MAX {
        let is = format!("{} words and {bytes} bytes; at most {WORDS_MAX} and {BYTES_MAX} are taken", argv.len());
        return Err(Denied::new("whitelist.size", is));
    }
    let plan = Plan {
        host: host.clone(),
        command: template.name.clone(),
        args,
        argv,
        keys,
        cwd: template.cwd.clone(),
        env: template.env.clone(),
        class: template.class,
        timeout_ms: u64::try_from(template.timeout.as_millis()).unwrap_or(u64::MAX),
    };
    Ok(CommandLine { hash: plan.hash(), plan })
}

/// Whether `template` may run on `host`, which has `labels`.
///
/// # Errors
/// `whitelist.host`, with where it may run.
pub fn may_run_on(template: &CommandTemplate, host: &HostName, labels: &[Label]) -> Result<(), Denied> {
    let fits = |selector: &HostSelector| match selector {
        HostSelector::Host(name) => name == host,
        HostSelector::Label(label) => labels.contains(label),
    };
    if template.hosts.iter().any(fits) {
        return Ok(());
    }
    let places: Vec<String> = template.hosts.iter().map(ToString::to_string).collect();
    Err(Denied::new(
        "whitelist.host",
        format!("{} may not run on {host}; it may on {}", template.name, places.join(", ")),
    ))
}

/// Whether `ordered` is exactly what `template`, the agent's own, makes of the same values. Nothing of an order is used
/// but the values: neither words nor directory, variables, class or a longer time come from whoever orders.
///
/// # Errors
/// What the template refuses, or `whitelist.plan` with what is different.
pub fn matches(template: &CommandTemplate, ordered: &Plan) -> Result<CommandLine, Denied> {
    let own = plan(template, &ordered.args, &ordered.host)?;
    if own.plan == *ordered {
        return Ok(own);
    }
    let different = [
        ("command", own.plan.command != ordered.command),
        ("args", own.plan.args != ordered.args),
        ("argv", own.plan.argv != ordered.argv),
        ("keys", own.plan.keys != ordered.keys),
        ("cwd", own.plan.cwd != ordered.cwd),
        ("env", own.plan.env != ordered.env),
        ("class", own.plan.class != ordered.class),
        ("timeout", own.plan.timeout_ms != ordered.timeout_ms),
    ];
    let names: Vec<&str> = different.iter().filter(|(_, differs)| *differs).map(|(name, _)| *name).collect();
    let mut reason = format!(
        "the engine's {} of {} is not this host's; make [commands.{}] the same in both files",
        names.join(", "),
        template.name,
        template.name
    );
    if names == ["keys"] {
        reason.push_str(", with `pane` and `socket`: `[hosts.*] tmux` is known to the engine only");
    }
    Err(Denied::new("whitelist.plan", reason))
}

/// Every argument with its value: what was given, or its default.
fn arguments(
    template: &CommandTemplate,
    values: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Denied> {
    let known = |name: &String| template.args.iter().any(|argument| argument.name == *name);
    if let Some(unknown) = values.keys().find(|name| !known(name)) {
        let names: Vec<&str> = template.args.iter().map(|argument| argument.name.as_str()).collect();
        let takes = if names.is_empty() { "no arguments".to_owned() } else { names.join(", ") };
        let reason = format!("{} has no argument {}; it takes {takes}", template.name, quoted(unknown));
        return Err(Denied::new("whitelist.argument", reason));
    }
    let value = |argument: &crate::model::Argument| {
        let rule = || format!("whitelist.argument {}", argument.name);
        let value = values.get(&argument.name).or(argument.default.as_ref());
        let value = value.ok_or_else(|| Denied::new(rule(), "it has no value"))?;
        argument.check(value).map_err(|why| Denied::new(rule(), why))?;
        Ok((argument.name.clone(), value.clone()))
    };
    template.args.iter().map(value).collect()
}

/// What is typed, with the values of `args` in their places, and where on `host`.
fn prompt(template: &PromptTemplate, args: &BTreeMap<String, String>, host: &HostName) -> Result<Prompt, Denied> {
    let bad = |why: String| Denied::new("whitelist.template", why);
    let mut text = String::new();
    for piece in argv_pieces(&template.text).map_err(|error| bad(error.to_string()))? {
        match piece {
            Piece::Text(literal) => text.push_str(&literal),
            Piece::Value { name, .. } => {
                let value =
                    args.get(&name).ok_or_else(|| bad(format!("keys names {{{name}}}, which is no argument")))?;
                text.push_str(value);
            }
        }
    }
    // Each value was looked at; a template may have come another way than through the configuration.
    if text.trim().is_empty() || text.chars().any(|c| is_unseen(c) && !matches!(c, '\n' | '\t')) {
        return Err(bad("keys come to nothing, or to something that controls or hides".to_owned()));
    }
    Ok(Prompt { text, place: template.place_on(host) })
}

/// The words of `template` with the values of `args` in their places.
fn argv(template: &CommandTemplate, args: &BTreeMap<String, String>) -> Result<Vec<String>, Denied> {
    let mut argv = Vec::with_capacity(template.argv.len());
    let mut options_are_over = false;
    for word in &template.argv {
        let pieces = argv_pieces(word).map_err(|error| Denied::new("whitelist.template", error.to_string()))?;
        let mut made = String::new();
        for (place, piece) in pieces.iter().enumerate() {
            let Piece::Value { name, .. } = piece else {
                let Piece::Text(text) = piece else { continue };
                made.push_str(text);
                continue;
            };
            let unknown = || Denied::new("whitelist.template", format!("argv names {{{name}}}, which is no argument"));
            let value = args.get(name).ok_or_else(unknown)?;
            let argument = template.args.iter().find(|argument| argument.name == *name).ok_or_else(unknown)?;
            // The configuration refuses such templates; an agent's may have come another way.
            let begins = place == 0 && value.starts_with('-') && !options_are_over;
            if begins && argument.kind.may_look_like_an_option() {
                let rule = format!("whitelist.argument {name}");
                return Err(Denied::new(rule, format!("{} would be read as an option", quoted(value))));
            }
            made.push_str(value);
        }
        options_are_over |= word == "--";
        argv.push(made);
    }
    match argv.first() {
        Some(program) if !program.is_empty() => Ok(argv),
        _ => Err(Denied::new("whitelist.template", "argv names no program")),
    }
}
