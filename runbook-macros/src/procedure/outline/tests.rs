//! What an outline says of a source.

use syn::ItemFn;

use super::*;

/// The outline as indented lines: kind, title, code and doc.
fn lines(source: &str) -> Vec<String> {
    fn add(items: &[Item], depth: usize, lines: &mut Vec<String>) {
        for item in items {
            let mut line = format!("{}{} {}", "  ".repeat(depth), item.kind, item.title);
            for (mark, text) in [(" = ", &item.code), (" // ", &item.doc)] {
                if !text.is_empty() {
                    line += mark;
                    line += text;
                }
            }
            lines.push(line);
            add(&item.items, depth + 1, lines);
        }
    }
    let mut found = Vec::new();
    add(&outline(source).items, 0, &mut found);
    found
}

fn outline(body: &str) -> Outline {
    let source = format!("async fn update(run: &Run, site: &Site) -> Result<()> {{\n{body}\n}}");
    let function: ItemFn = syn::parse_str(&source).expect("a function");
    let run = syn::parse_str("run").expect("a name");
    Outline::of(&function, &run)
}

#[test]
fn steps_and_checks_have_title_code_and_doc() {
    let body = r#"
        /// Proves itself.
        let backup = run.step("Back up", backup::postgres(&site.db).into_dir(&site.dir)).key("backup").await?;
        run.irreversible("mail cannot be unsent", "Tell everyone", mail(&site.list)).await?;
        run.step(format!("Restart {unit}"), restart(unit)).await?;
        run.step(TITLE, restart(unit)).await?;
        run.check("Health", site_is_up(80).within(60.seconds())).await?;
        run.window(&site.window).await?;
    "#;
    assert_eq!(
        lines(body),
        [
            "Step Back up = backup::postgres(&site.db).into_dir(&site.dir) // Proves itself.",
            "Irreversible Tell everyone = mail(&site.list) // mail cannot be unsent",
            "Step Restart {unit} = restart(unit)",
            "Step TITLE = restart(unit)",
            "Check Health = site_is_up(80).within(60.seconds())",
            "Window site.window",
        ]
    );
}

#[test]
fn closures_branches_and_loops_nest() {
    let body = r#"
        run.each("Restart", site.units(), async |inner, unit| {
            /// One at a time.
            inner.step("Restart", restart(unit)).await
        }).await?;
        run.both("Both", async |a| a.step("A", a_step()).await, async |b| { b.step("B", b_step()).await }).await?;
        /// Only when needed.
        if run.observe("Old?", is_old()).await? {
            run.confirm("Really?").await?;
        } else if other {
            nothing();
        } else {
            run.approve("admin").await?;
        }
        for host in &site.hosts {
            run.on(host).step("Copy", copy(host)).await?;
        }
        match site.kind {
            Kind::Big if x => run.point_of_no_return("no way back").await?,
            _ => {}
        }
        let db = run.on(&site.db);
        db.hold("Pause", pause(), async |run| rest(run, site).await).await?;
        if quiet { println!("nothing of note") }
    "#;
    assert_eq!(
        lines(body),
        [
            "Each Restart = site.units()",
            "  Step Restart = restart(unit) // One at a time.",
            "Both Both",
            "  Branch one side",
            "    Step A = a_step()",
            "  Branch the other side",
            "    Step B = b_step()",
            "Observe Old? = is_old()",
            "If run.observe(\"Old?\", is_old()).await? // Only when needed.",
            "  Confirm Really?",
            "Else other",
            "Else ",
            "  Approve admin",
            "Loop for host in &site.hosts",
            "  Step Copy = copy(host)",
            "Match site.kind",
            "  Arm Kind::Big if x",
            "    PointOfNoReturn no way back",
            "Hold Pause = pause()",
            "  Call rest = rest(run, site)",
        ]
    );
}

#[test]
fn calls_are_found_wherever_the_run_is_handed_on() {
    let body = r#"
        let built = run.step("Ship", ship(build(run, site).await?)).await?;
        standard::update(&run, site).await?;
        tokio::try_join!(one(run), two(run))?;
        let body = async |r: &Run| r.step("In a closure", x()).await;
        keep(Some(run));
        site.update(run).await?;
        async fn other(run: &Run) { run.step("not ours", x()).await; }
    "#;
    assert_eq!(
        lines(body),
        [
            "Call build = build(run, site)",
            "Step Ship = ship(build(run, site).await?)",
            "Call standard::update = standard::update(&run, site)",
            "Call one = one(run)",
            "Call two = two(run)",
            "Step In a closure = x()",
            "Call site.update = site.update(run)",
        ]
    );
}

#[test]
fn a_call_that_is_given_the_run_and_not_awaited_is_another_view_of_it() {
    let body = r#"
        let server = marb.server(run);
        server.step("On the server", a()).await?;
        let (marb, app) = (&to.marb, to.marb.app(run));
        app.check("As the user", b()).await?;
        marb.server(&app).step("At once", c()).await?;
        /// What waits.
        marb.app(run).look(async |cx| pending(cx).await).await?;
        server.as_user("web").step("As web", d()).await?;
        let elsewhere = run.at(&site.place);
        restart(&elsewhere, marb).await?;
        health(&marb.server(run)).await?;
        services(marb).ask(&marb.server(run)).await?.all_pass()?;
        let later = build(run, marb);
        let built = later.await?;
        let (one, two) = (first(run), second(run));
        tokio::try_join!(one, two)?;
        later(3)
    "#;
    assert_eq!(
        lines(body),
        [
            "Step On the server = a()",
            "Check As the user = b()",
            "Step At once = c()",
            "Look pending(cx) = pending(cx) // What waits.",
            "Step As web = d()",
            "Call restart = restart(&elsewhere, marb)",
            "Call health = health(&marb.server(run))",
            "Call services(marb).ask = services(marb).ask(&marb.server(run))",
            "Call build = build(run, marb)",
            "Call first = first(run)",
            "Call second = second(run)",
        ]
    );
}

#[test]
fn questions_gathered_in_a_builder_are_items() {
    let body = r#"
        probes::of("mARB").probe("API runs", is_active(API)).probe(NAME, free(80).at_least(1)).ask(&server(run)).await?.all_pass()?;
        /// Why it does not answer.
        let found = diagnosis::of("no answer", is_up())
            .suspect(Cause::Disk, disk())
            .ask(run)
            .await?;
        services(site).probe("Disk", disk()).ask(run).await?;
    "#;
    let lines = lines(body);
    let titles: Vec<_> = lines.iter().map(|line| line.split(" = probes::").next().unwrap_or_default()).collect();
    assert_eq!(
        titles,
        [
            "Call mARB",
            "  Probe API runs = is_active(API)",
            "  Probe NAME = free(80).at_least(1)",
            "Call no answer = diagnosis::of(\"no answer\", is_up()).suspect(Cause::Disk, disk()).ask(run) // Why it does not answer.",
            "  Probe no answer = is_up()",
            "  Probe Cause::Disk = disk()",
            "Call services(site) = services(site).probe(\"Disk\", disk()).ask(run)",
            "  Probe Disk = disk()",
        ]
    );
}

#[test]
fn a_body_that_a_call_is_given_is_inside_the_call() {
    let body = r#"
        run.require("Well", is_up()).await?;
        site.watched(run, async |watched| {
            fetch(watched, site).await?;
            if changed { watched.step("Restart", restart()).await?; }
            Ok(())
        })
        .await?;
        let measured = downtime::of("the site", is_up()).during(run, async |run| run.step("Stop", stop()).await);
        measured.await?;
        quietly(&site.server(run), 3, async |run| run.step("Start", start()).await).await?;
        site.hosts(run, async |host| host.name()).await?;
        run.check("Health", is_up()).await?;
    "#;
    assert_eq!(
        lines(body),
        [
            "Require Well = is_up()",
            "Around site.watched = site.watched(run, _)",
            "  Call fetch = fetch(watched, site)",
            "  If changed",
            "    Step Restart = restart()",
            "Around the site = downtime::of(\"the site\", is_up()).during(run, _)",
            "  Step Stop = stop()",
            "Around quietly = quietly(&site.server(run), 3, _)",
            "  Step Start = start()",
            "Call site.hosts = site.hosts(run, async |host| host.name())",
            "Check Health = is_up()",
        ]
    );
}

#[test]
fn guards_are_named_by_their_triggers() {
    let body = r#"
        run.guard([Trigger::when("Errors", errors()), Trigger::when("Slow", p99())], async |run| {
            run.step("Soak", soak()).await
        }).await?;
    "#;
    let lines = lines(body);
    assert!(lines[0].starts_with("Guard Errors, Slow = [Trigger::when(\"Errors\", errors())"), "{}", lines[0]);
    assert_eq!(lines[1], "  Step Soak = soak()");
}

#[test]
fn the_fingerprint_knows_steps_and_order_only() {
    let one = outline(
        r#"/// Doc.
        run.step("One", a(1, 2)).await?; run.step("Two", b()).await?;"#,
    );
    let retitled = outline(
        r#"run.step("Eins", a(1,
        2,)).await?; run.step("Zwei", b()).await?;"#,
    );
    let swapped = outline(r#"run.step("Two", b()).await?; run.step("One", a(1, 2)).await?;"#);
    let nested = outline(r#"run.step("One", a(1, 2)).await?; if x { run.step("Two", b()).await?; }"#);
    assert_eq!(one.fingerprint, retitled.fingerprint);
    let inside = |title| outline(&format!(r#"site.watched(run, async |run| run.step("{title}", a()).await).await?;"#));
    assert_eq!(inside("One").fingerprint, inside("Eins").fingerprint);
    assert_ne!(inside("One").fingerprint, outline(r"site.watched(run, async |run| x()).await?;").fingerprint);
    assert_ne!(one.fingerprint, swapped.fingerprint);
    assert_ne!(one.fingerprint, nested.fingerprint);
    assert_eq!(outline("").fingerprint, 0xf68b_7258_91c7_85bb, "the same in every build");
}
