//! The frame of pages: navigation, the box to go anywhere, the parts of a page, and the commands that say the same.

use crate::assets::{ICON, SCRIPT, STYLE};
use crate::links::Url;
use crate::parts::state::shapes;
use databuild_core::amounts::number;
use maud::{html, Markup, DOCTYPE};

/// What all pages say of the server.
#[derive(Debug, Clone, Default)]
pub struct Site {
    /// The workspace's folder.
    pub workspace: String,
    /// The digest of the graph that new work follows.
    pub graph: Option<String>,
    /// What a form has to send so that it counts as this page's.
    pub csrf: String,
    /// Runs under way.
    pub under_way: u64,
    /// Partitions that wait.
    pub waiting: u64,
    /// Wants that are open.
    pub open_wants: u64,
    /// Datasets of the graph.
    pub datasets: u64,
    /// The last event that the page reflects.
    pub seq: u64,
}

/// A place in the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// What goes on.
    Now,
    /// Datasets and their partitions.
    Datasets,
    /// Runs.
    Runs,
    /// Wants.
    Wants,
    /// Plans.
    Plans,
    /// The graph.
    Graph,
    /// What begins next.
    Queue,
    /// What starts by itself.
    Automation,
    /// Attempts on an axis of time.
    Timeline,
    /// The server.
    Server,
    /// Graphs and what they changed.
    Changes,
    /// Checks and what they found.
    Checks,
    /// The event log.
    Events,
    /// None of them.
    Nowhere,
}

/// How wide a part is on a wide screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// The whole width.
    Full,
    /// Two thirds.
    Wide,
    /// A half.
    Half,
    /// A third.
    Narrow,
}

/// A part of a page, which can be asked for by itself.
#[derive(Debug, Clone)]
pub struct Part {
    /// Its name within the page.
    pub id: &'static str,
    /// How wide it is.
    pub width: Width,
    /// What it shows, in words that the stream of changes uses: it is asked for again when one of these moves. Empty if
    /// nothing ever does.
    pub of: Vec<String>,
    /// It is a card with a border.
    pub card: bool,
    /// What is in it.
    pub content: Markup,
}

/// A card with a heading.
#[must_use]
pub fn card(id: &'static str, width: Width, of: &[&str], heading: &Markup, content: &Markup) -> Part {
    let content = html! { header { (heading) } (content) };
    Part { id, width, of: of.iter().map(ToString::to_string).collect(), card: true, content }
}

/// The heading of a card: what it is, how much of it there is, and where there is more.
#[must_use]
pub fn heading(name: &str, much: &str, more: &[(&str, Url)]) -> Markup {
    html! {
        h2 { (name) }
        @if !much.is_empty() { span.n { (much) } }
        @if !more.is_empty() { span.more { @for (text, url) in more { a href=(url) { (text) } } } }
    }
}

/// A page.
#[derive(Debug, Clone)]
pub struct Page {
    /// In the browser's tab.
    pub title: String,
    /// Where it is in the navigation.
    pub place: Place,
    /// The heading, and one or two sentences that say what matters.
    pub lead: Markup,
    /// What the lead shows, as of parts.
    pub of: Vec<String>,
    /// What follows.
    pub parts: Vec<Part>,
    /// Commands that say or do the same.
    pub commands: Vec<String>,
    /// What else its stream of changes is asked for, as parameters.
    pub stream: Vec<(String, String)>,
}

impl Page {
    /// A page whose lead shows what moves with `of`.
    #[must_use]
    pub fn new(title: impl Into<String>, place: Place, of: &[&str], lead: Markup) -> Page {
        Page {
            title: title.into(),
            place,
            lead,
            of: of.iter().map(ToString::to_string).collect(),
            parts: Vec::new(),
            commands: Vec::new(),
            stream: Vec::new(),
        }
    }

    /// The same with another part.
    #[must_use]
    pub fn part(mut self, part: Part) -> Page {
        self.parts.push(part);
        self
    }

    /// The same with another command, without the program's name.
    #[must_use]
    pub fn command(mut self, command: impl Into<String>) -> Page {
        self.commands.push(command.into());
        self
    }

    /// The whole document.
    #[must_use]
    pub fn whole(&self, site: &Site) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    (head(&self.title))
                }
                body data-stream=(self.stream_url()) data-seq=(site.seq) {
                    (shapes())
                    a.skip href="#main" { "Skip to the content" }
                    div.app {
                        (self.navigation(site))
                        div {
                            (top(site))
                            main id="main" tabindex="-1" {
                                (self.wrapped_lead())
                                div.grid { @for part in &self.parts { (wrapped(part)) } }
                                @if !self.commands.is_empty() {
                                    footer.cli { @for command in &self.commands { code { "databuild " (command) } } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// Those of its parts that are named; the lead is `lead`, the navigation `side`.
    #[must_use]
    pub fn some(&self, names: &[&str], site: &Site) -> Markup {
        html! {
            @for name in names {
                @match *name {
                    "lead" => (self.wrapped_lead()),
                    "side" => (self.navigation(site)),
                    name => @for part in self.parts.iter().filter(|part| part.id == name) { (wrapped(part)) },
                }
            }
        }
    }

    fn wrapped_lead(&self) -> Markup {
        html! { div id="lead" data-of=[(!self.of.is_empty()).then(|| self.of.join(" "))] { (self.lead) } }
    }

    /// The stream tells of what any part shows.
    fn stream_url(&self) -> Url {
        let mut of: Vec<&str> =
            self.of.iter().chain(self.parts.iter().flat_map(|part| &part.of)).map(String::as_str).collect();
        // The navigation counts the first two; with a token, what the browser may see can end.
        of.extend(["runs", "wants", "tokens"]);
        of.sort_unstable();
        of.dedup();
        let url = Url::new("/live").with("follow", "true").with("of", of.join(" "));
        self.stream.iter().fold(url, |url, (name, value)| url.with(name, value))
    }

    fn navigation(&self, site: &Site) -> Markup {
        let entry = |place: Place, name: &str, path: &str, count: u64| {
            html! {
                li {
                    a href=(path) aria-current=[(place == self.place).then_some("page")] {
                        span { (name) }
                        @if count > 0 { span { (number(count)) } }
                    }
                }
            }
        };
        html! {
            nav.side id="side" data-of="runs wants" aria-label="Pages" {
                a.brand href="/" { "DataBuild" }
                ul {
                    (entry(Place::Now, "Now", "/", site.under_way))
                    (entry(Place::Datasets, "Datasets", "/datasets", site.datasets))
                    (entry(Place::Runs, "Runs", "/runs", 0))
                    (entry(Place::Wants, "Wants", "/wants", site.open_wants))
                    (entry(Place::Plans, "Plans", "/plans", 0))
                    li.gap aria-hidden="true" {}
                    (entry(Place::Graph, "Graph", "/graph", 0))
                    (entry(Place::Queue, "Queue", "/queue", site.waiting))
                    (entry(Place::Automation, "Automation", "/automation", 0))
                    (entry(Place::Timeline, "Timeline", "/timeline", 0))
                    li.gap aria-hidden="true" {}
                    (entry(Place::Changes, "Changes", "/changes", 0))
                    (entry(Place::Checks, "Checks", "/checks", 0))
                    (entry(Place::Events, "Events", "/events", 0))
                    (entry(Place::Server, "Server", "/server", 0))
                }
            }
        }
    }
}

fn wrapped(part: &Part) -> Markup {
    let width = match part.width {
        Width::Full => "c12",
        Width::Wide => "c8",
        Width::Half => "c6",
        Width::Narrow => "c4",
    };
    html! {
        section id=(part.id) class={ (width) @if part.card { " card" } } data-of=[(!part.of.is_empty()).then(|| part.of.join(" "))] { (part.content) }
    }
}

fn head(title: &str) -> Markup {
    html! {
        meta charset="utf-8";
        meta name="viewport" content="width=device-width, initial-scale=1";
        meta name="color-scheme" content="light dark";
        title { (title) " \u{b7} DataBuild" }
        link rel="icon" href=(ICON.path) type="image/svg+xml";
        link rel="stylesheet" href=(STYLE.path);
        script src=(SCRIPT.path) {}
    }
}

fn top(site: &Site) -> Markup {
    let name = site.workspace.rsplit('/').next().unwrap_or(&site.workspace);
    html! {
        header.top {
            form action="/go" method="get" role="search" aria-label="Go to" {
                label.hidden for="go" { "Go to a dataset, partition, run, want, check, event or graph" }
                input id="go" type="search" name="q" placeholder="Go to a dataset, partition, run, check \u{2026}" autocomplete="off" spellcheck="false" aria-keyshortcuts="/";
            }
            span.where.m title=(site.workspace) { (name) }
            @if let Some(graph) = &site.graph { a.where.m href={ "/changes/" (graph) } title=(graph) { "graph " (graph.get(..8).unwrap_or(graph)) } }
            span.end {
                span.light id="light" role="status" hidden {}
                button.plain id="theme" type="button" hidden { "Theme" }
            }
        }
    }
}

/// A page with one message, which stands alone: an error, or that somebody has to sign in.
#[must_use]
pub fn alone(title: &str, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head { (head(title)) }
            body { (shapes()) main.alone id="main" { div.card { (content) } } }
        }
    }
}
