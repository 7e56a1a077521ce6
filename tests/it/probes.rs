//! Looks at a real nginx: its answers, its certificates in every state, its absence.

use std::time::Duration;

use aurora::condition::Condition;
use aurora::config::{check_defaults, check_schema};
use aurora::health::probe::{Tools, look};
use aurora::model::{Family, HttpTarget, Observation, Phase, Target, TlsTarget, Verdict};

use crate::nginx::{Authority, Certificate, Nginx};

/// Looks once, with `when` or with what is demanded when nothing is written.
fn look_at(target: &Target, when: Option<&str>) -> Observation {
    let (default, warn) = check_defaults(target.kind());
    let read = |text| Condition::parse(text, check_schema(target.kind())).expect("a condition");
    let (when, warn) = (read(when.unwrap_or(default)), warn.map(read));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(look(target, &when, warn.as_ref(), Duration::from_secs(10), &Tools::default()))
}

fn http(url: &str) -> HttpTarget {
    HttpTarget::get(url.parse().expect("a URL"))
}

fn tls(nginx: &Nginx, authority: &Authority) -> Target {
    Target::Tls(TlsTarget {
        endpoint: format!("127.0.0.1:{}", nginx.port).parse().expect("an endpoint"),
        family: Family::Any,
        server_name: Some("web.example".to_owned()),
        roots: vec![authority.root()],
    })
}

#[test]
#[ignore = "needs nginx"]
fn answers_of_nginx_are_judged_and_timed() {
    let nginx = Nginx::serving(
        "location = /up { add_header x-version 2; default_type application/json; return 200 '{\"status\":\"UP\"}'; }\n\
         location = /down { return 503; }\n\
         location = /moved { return 301 /up; }\n\
         location = /round { return 302 /round; }",
    );
    let target = |path: &str, redirects| {
        let target = http(&format!("http://127.0.0.1:{}{path}", nginx.port));
        Target::Http(Box::new(HttpTarget { redirects, ..target }))
    };
    let when = "status == 200 and json(\"$.status\") == \"UP\" and header(\"x-version\") == \"2\" and latency < 10s";
    let up = look_at(&target("/up", 0), Some(when));
    assert_eq!(up.verdict, Verdict::Ok, "{up:?}");
    let phases: Vec<Phase> = up.phases.iter().map(|(phase, _)| *phase).collect();
    assert_eq!(phases, [Phase::Connect, Phase::FirstByte, Phase::Transfer]);
    let moved = look_at(&target("/moved", 1), Some("status == 200 and redirects == 1"));
    assert_eq!(moved.verdict, Verdict::Ok, "{moved:?}");
    let down = look_at(&target("/down", 0), None);
    assert_eq!((down.verdict, down.cause.as_deref()), (Verdict::Critical, Some("status < 400: got 503")));
    let round = look_at(&target("/round", 5), None);
    assert!(round.cause.as_deref().unwrap_or_default().starts_with("more than 5 redirects"), "{round:?}");
}

#[test]
#[ignore = "needs nginx"]
fn certificates_of_nginx_are_told_apart() {
    let authority = Authority::new();
    let of = |certificate: Certificate| Nginx::secure(&certificate, "return 200 ok;");
    let cases = [
        (authority.certificate("web.example", -10, 80), Verdict::Ok, ""),
        (authority.certificate("web.example", -93, -3), Verdict::Critical, "expired 3d ago"),
        (authority.certificate("web.example", -85, 5), Verdict::Critical, "expires in 5d"),
        (authority.certificate("other.example", -10, 80), Verdict::Critical, "for other.example, not for web.example"),
        (authority.self_signed("web.example"), Verdict::Critical, "self-signed"),
    ];
    for (certificate, verdict, words) in cases {
        let nginx = of(certificate);
        let found = look_at(&tls(&nginx, &authority), None);
        assert_eq!(found.verdict, verdict, "{words}: {found:?}");
        assert!(found.cause.as_deref().unwrap_or_default().contains(words), "{words}: {found:?}");
        assert!(found.values.iter().any(|(name, _)| name == "cert_expires"), "{words}: {found:?}");
    }
    let nginx = of(authority.certificate("127.0.0.1", -10, 80));
    let mut target = http(&format!("https://127.0.0.1:{}/", nginx.port));
    target.roots = vec![authority.root()];
    let found =
        look_at(&Target::Http(Box::new(target)), Some("status == 200 and body == \"ok\" and cert_expires > 70d"));
    assert_eq!(found.verdict, Verdict::Ok, "{found:?}");
    assert!(found.phases.iter().any(|(phase, _)| *phase == Phase::Tls), "{found:?}");
}

#[test]
#[ignore = "needs nginx"]
fn an_nginx_that_stops_is_refused_and_comes_back() {
    let mut nginx = Nginx::serving("return 200 ok;");
    let target = Target::Http(Box::new(http(&format!("http://127.0.0.1:{}/", nginx.port))));
    assert_eq!(look_at(&target, None).verdict, Verdict::Ok);
    nginx.stop();
    let gone = look_at(&target, None);
    assert_eq!(gone.cause, Some(format!("127.0.0.1:{}: connection refused", nginx.port)));
    nginx.start_again();
    assert_eq!(look_at(&target, None).verdict, Verdict::Ok);
}
