//! The door of the core: one input in, facts and orders out.
//!
//! [`Core::decide`] decides what an input means in the present state and folds the resulting events at once;
//! [`Core::follow`] goes on until nothing more follows, once for any number of inputs. The caller appends the
//! events durably, *then* answers and performs the effects. If appending fails it must throw this [`Core`] away and fold the log anew,
//! since its state is ahead of it.
//!
//! Invariants, held by the simulator in `tests/simulation.rs`:
//! - No clock, randomness or I/O: the same log, input and `now` give the same step.
//! - An attempt is ordered once, and only after its lease is an event.
//! - A partition has at most one live run.

use crate::decide::acts::invoke::invoke;
use crate::decide::acts::run::cancel_run;
use crate::decide::acts::want::{pause, prioritize};
use crate::decide::acts::{
    accept, adopt, garbage, keys, plan, pool, register, request, schedule, taint, token, trial, want,
};
use crate::decide::changes::replan::give_up_undeclared;
use crate::decide::changes::sight;
use crate::decide::follow::again::follow_keys;
use crate::decide::follow::trials::end_trials;
use crate::decide::follow::wants::{end_wants, expire_wants, next_expiry};
use crate::decide::follow::{again, dispatch, retry, schedules};
use crate::decide::lives::suspend::{break_circles, end_orphans};
use crate::decide::lives::{attempt, resume};
use crate::decide::messages::input::Input;
use crate::decide::messages::refusal::Refusal;
use crate::decide::messages::step::{Reply, Step};
use crate::decide::out::Out;
use crate::decide::queries::limits::Capacity;
use crate::decide::queries::ticks::{next_due, Firing};
use crate::event::{Origin, Record};
use crate::ids::WantId;
use crate::state::{FoldError, State};
use jiff::Timestamp;
use std::collections::BTreeSet;

/// State with what is not worth remembering: how much may run at once.
#[derive(Debug)]
pub struct Core {
    /// The fold so far.
    pub state: State,
    /// Attempts that may run side by side.
    pub slots: usize,
    /// Bytes of memory that runs may take together; not counted if none.
    pub memory: Option<u64>,
    /// No attempt is leased: there is no executor, or this is a copy that shows what would be.
    pub held: bool,
    /// Schedules fire. They do not where somebody runs DataBuild for one command, without a server.
    pub fires: bool,
    /// What an earlier process left under way was taken up.
    taken_up: bool,
    /// When time alone lets something begin, as of the last step.
    wake: Option<Timestamp>,
    /// Wants for which a look is under way; lost with the process, and then asked for again.
    looking: BTreeSet<WantId>,
    /// Ticks for which a look is under way; the same holds for them.
    firing: Firing,
}

impl Core {
    /// A core for a workspace without history.
    #[must_use]
    pub fn new(slots: usize) -> Core {
        Core {
            state: State::default(),
            slots,
            memory: None,
            held: false,
            fires: false,
            taken_up: false,
            wake: None,
            looking: BTreeSet::new(),
            firing: Firing::new(),
        }
    }

    /// What the machine has for runs.
    #[must_use]
    pub fn capacity(&self) -> Capacity {
        Capacity { slots: self.slots, memory: self.memory }
    }

    /// Folds a logged event at start-up.
    ///
    /// # Errors
    /// As [`State::apply`].
    pub fn replay(&mut self, record: &Record) -> Result<(), FoldError> {
        self.state.apply(record)
    }

    /// Decides what `input` means now, and what follows from it.
    pub fn step(&mut self, input: Input, now: Timestamp) -> Step {
        let mut step = self.decide(input, Origin::default(), now);
        let more = self.follow(now);
        step.records.extend(more.records);
        step.effects.extend(more.effects);
        step
    }

    /// Decides what `input` means now. What follows from it is for [`Core::follow`]. `origin` is that of a request; what
    /// happened by itself says where it comes from.
    pub fn decide(&mut self, input: Input, origin: Origin, now: Timestamp) -> Step {
        if let Err(refusal) = self.holds_for_the_graph(&input) {
            return Step { records: Vec::new(), effects: Vec::new(), reply: Err(refusal) };
        }
        let origin = input.cause().map_or(origin, Origin::because);
        let mut out = Out::new(&mut self.state, now, origin, &mut self.looking);
        let reply = match input {
            Input::RegisterGraph(registration) => register::register(&mut out, *registration),
            Input::CreateWant(request, sightings) => want::create(&mut out, request, &sightings),
            Input::Invoke(request, sightings) => invoke(&mut out, request, &sightings),
            Input::CreatePlan(request, sightings) => plan::create(&mut out, request, &sightings),
            Input::ApplyPlan(request, sightings) => plan::apply(&mut out, request, &sightings),
            Input::CancelWant(id) => want::cancel(&mut out, id),
            Input::PauseWant(id) => pause(&mut out, id),
            Input::ResumeWant(id) => want::resume(&mut out, id),
            Input::PrioritizeWant(id, class) => prioritize(&mut out, id, class),
            Input::CancelRun(id) => cancel_run(&mut out, id),
            Input::Sightings(sightings) => {
                sight::sight(&mut out, &sightings);
                Ok(Reply::Done)
            }
            Input::Looked { want, sightings } => again::looked(&mut out, want, &sightings),
            Input::Fired { schedule, tick, sightings } => {
                schedules::fired(&mut out, &mut self.firing, (&schedule, tick), &sightings)
            }
            Input::PauseSchedule(name) => schedule::pause(&mut out, &name),
            Input::ResumeSchedule(name) => schedule::resume(&mut out, &name),
            Input::RunSchedule(name, key, sightings) => schedule::run_now(&mut out, &name, key, &sightings),
            Input::AttemptStarted { attempt, pid } => attempt::started(&mut out, attempt, pid),
            Input::AttemptEnded { attempt, end } => attempt::ended(&mut out, attempt, end),
            Input::Published { attempt, marks } => attempt::published(&mut out, attempt, &marks),
            Input::PublishFailed { attempt, message } => attempt::publish_failed(&mut out, attempt, &message),
            Input::Taint(request, sightings) => taint::taint(&mut out, request, &sightings),
            Input::Accept(request) => accept::accept(&mut out, request),
            Input::Adopt(request, sightings) => adopt::adopt(&mut out, request, &sightings),
            Input::Untaint(request) => taint::untaint(&mut out, request),
            Input::AddKeys(request) => keys::add(&mut out, request),
            Input::RetireKeys(request) => keys::retire(&mut out, request),
            Input::ResizePool(request) => pool::resize(&mut out, request),
            Input::CreateToken(request) => token::create(&mut out, request),
            Input::RevokeToken(name) => token::revoke(&mut out, name),
            Input::RequestAnswered(answered) => request::answered(&mut out, answered),
            Input::GarbageCollected(collected) => garbage::collected(&mut out, collected),
            Input::CreateTrial(request) => trial::create(&mut out, *request),
            Input::CancelTrial(id) => trial::cancel(&mut out, id),
            Input::Resume(known) => {
                self.held = false;
                resume::resume(&mut out, &known, !std::mem::replace(&mut self.taken_up, true))
            }
            Input::Hold(known) => {
                self.held = true;
                resume::resume(&mut out, &known, !std::mem::replace(&mut self.taken_up, true))
            }
            Input::SetSlots(slots) => {
                self.slots = slots;
                Ok(Reply::Done)
            }
            Input::Tick => Ok(Reply::Done),
        };
        Step { records: out.records, effects: out.effects, reply }
    }

    /// Refuses what was seen with the indices of another graph, which mean something else in this one.
    fn holds_for_the_graph(&self, input: &Input) -> Result<(), Refusal> {
        let registered = self.state.followed().map(|registered| &registered.id);
        match input.sightings() {
            Some(seen) if !seen.are_of(registered) => {
                Err(Refusal::GraphReplaced(registered.map_or_else(String::new, |id| id.short().to_owned())))
            }
            _ => Ok(()),
        }
    }

    /// What follows by itself from all that was decided: leases, cut-offs, retries, the ends of wants. To be called
    /// before the events of the inputs before it are appended.
    pub fn follow(&mut self, now: Timestamp) -> Step {
        let mut out = Out::new(&mut self.state, now, Origin::default(), &mut self.looking);
        self.wake = None;
        expire_wants(&mut out);
        if self.fires {
            schedules::fire_due(&mut out, &mut self.firing);
        }
        if !self.held {
            // What the input has changed counts already.
            let capacity = Capacity { slots: self.slots, memory: self.memory };
            // Work that is cut off may be what a run waits for to be tried again.
            let mut before = usize::MAX;
            while before != out.records.len() {
                before = out.records.len();
                give_up_undeclared(&mut out);
                end_wants(&mut out);
                follow_keys(&mut out);
                retry::retry(&mut out, capacity);
                self.wake = dispatch::dispatch(&mut out, capacity);
                // The end of a want may be what a run waits for, and that of a run what a want does.
                end_wants(&mut out);
                end_orphans(&mut out);
                break_circles(&mut out);
            }
        }
        end_wants(&mut out);
        end_trials(&mut out);
        Step { records: out.records, effects: out.effects, reply: Ok(Reply::Done) }
    }

    /// When a [`Input::Tick`] is due, if nothing else comes first.
    #[must_use]
    pub fn next_timer(&self) -> Option<Timestamp> {
        let tick = if self.fires { next_due(&self.state, &self.firing) } else { None };
        next_expiry(&self.state).into_iter().chain(self.wake).chain(tick).min()
    }
}
