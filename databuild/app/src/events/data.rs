//! What each event says, as JSON: the part of a row that programs read.
//!
//! Records are taken apart without `..`, so that a field that comes is thought of here. What only DataBuild itself can use is left
//! out: digests of inputs, fingerprints of files, and what a plan rests on.

use crate::words::returned_text;
use databuild_core::event::{
    Adopted, AdoptedPartition, AttemptEnded, AttemptLeased, AttemptOutcome, AttemptStarted, Blocked,
    CheckFindings, CheckResult, Checked, CodeAccepted, Event, FilesAltered, FilesVanished, GarbageCollected,
    GraphRegistered, KeysAdded, KeysRetired, Materialized, Observed, OutputRecord, PartitionsFailed,
    PlanCreated, PlanRow, PlansDropped, PoolResized, PublishIntended, RequestAnswered, RequestKey,
    RunCancelRequested, RunEnded, RunSuspended, ScheduleFired, SchedulePaused, ScheduleResumed,
    SeenPartition, Tainted, TicksSkipped, TokenCreated, TokenRevoked, TrialArm, TrialCreated, TrialEnded,
    TrialGraph, TrialMade, TrialResult, TrialSample, Untainted, WantCreated, WantEnded, WantPaused,
    WantReplanned, WantReprioritized, WantResumed, WorkAbandoned, WorkCutOff,
};
use databuild_core::graph::JobDigests;
use databuild_core::ids::AttemptId;
use databuild_core::word::Word as _;
use jiff::Timestamp;
use serde_json::{json, Value};

/// What an event says. A value that it does not have is left out.
pub(super) fn data(event: &Event) -> Value {
    let mut data = all(event);
    if let Some(fields) = data.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    data
}

fn all(event: &Event) -> Value {
    match event {
        Event::GraphRegistered(GraphRegistered { graph, content: _, inherited, sources }) => {
            json!({"graph": graph.to_string(), "inherited": inherited, "sources": sources})
        }
        Event::Observed(Observed { partitions }) => json!({"partitions": list(partitions, seen)}),
        Event::FilesVanished(FilesVanished { partitions })
        | Event::FilesAltered(FilesAltered { partitions })
        | Event::WorkCutOff(WorkCutOff { partitions }) => json!({"partitions": partitions}),
        Event::WorkAbandoned(WorkAbandoned { partitions, cause }) => {
            json!({"partitions": partitions, "failed_run": cause.to_string()})
        }
        Event::Tainted(Tainted { partitions, reason })
        | Event::Untainted(Untainted { partitions, reason }) => {
            json!({"partitions": partitions, "reason": reason})
        }
        Event::CodeAccepted(accepted) => code_accepted(accepted),
        Event::Adopted(Adopted { partitions }) => json!({"partitions": list(partitions, adopted)}),
        Event::KeysAdded(KeysAdded { space, keys, back }) => {
            json!({"space": space, "keys": keys, "back": back})
        }
        Event::KeysRetired(KeysRetired { space, keys }) => json!({"space": space, "keys": keys}),
        Event::TokenCreated(TokenCreated { name, hash: _, scopes, datasets, expires_at }) => json!({
            "name": name, "scopes": list(scopes, |scope| json!(scope.word())), "datasets": datasets,
            "expires_at": expires_at,
        }),
        Event::TokenRevoked(TokenRevoked { name }) => json!({"name": name}),
        // What it says is for whoever sends the request again.
        Event::RequestAnswered(RequestAnswered { request, answer }) => json!({
            "idempotency_key": request.said(), "status": answer.as_ref().map(|answer| answer.status),
        }),
        Event::ScheduleFired(ScheduleFired { schedule, tick, want }) => json!({
            "schedule": schedule, "tick": tick, "want": want.to_string(),
        }),
        Event::TicksSkipped(TicksSkipped { schedule, first, last, count, reason, message }) => json!({
            "schedule": schedule, "first": first, "last": last, "count": count, "reason": reason.word(),
            "message": message,
        }),
        Event::SchedulePaused(SchedulePaused { schedule })
        | Event::ScheduleResumed(ScheduleResumed { schedule }) => json!({"schedule": schedule}),
        Event::GarbageCollected(GarbageCollected {
            attempts,
            older_than,
            staged,
            snapshots,
            bytes,
            archived_until,
        }) => {
            json!({
                "attempts": attempts, "older_than": older_than.map(|end| end.to_string()), "staged": staged,
                "snapshots": snapshots,
                "bytes": bytes, "archived_until": archived_until,
            })
        }
        Event::PoolResized(PoolResized { pool, slots }) => json!({"pool": pool, "slots": slots}),
        Event::PlanCreated(plan) => plan_created(plan),
        Event::PlansDropped(PlansDropped { plans }) => json!({"plans": texts(plans)}),
        _ => of_wants(event),
    }
}

fn of_wants(event: &Event) -> Value {
    match event {
        Event::WantCreated(want) => want_created(want),
        Event::WantReplanned(WantReplanned { want, work, successors, blocked: none, whole }) => json!({
            "want": want.to_string(), "work": work, "successors": successors, "blocked": list(none, blocked),
            "whole": whole,
        }),
        Event::WantEnded(WantEnded { want, outcome, causes, counts }) => json!({
            "want": want.to_string(), "outcome": outcome.word(), "causes": causes, "counts": counts,
        }),
        Event::WantPaused(WantPaused { want }) | Event::WantResumed(WantResumed { want }) => {
            json!({"want": want.to_string()})
        }
        Event::WantReprioritized(WantReprioritized { want, class }) => {
            json!({"want": want.to_string(), "class": class.word()})
        }
        Event::TrialCreated(trial) => trial_created(trial),
        Event::TrialMade(TrialMade { attempt, outputs }) => of_attempt(attempt, |data| {
            data["outputs"] = list(outputs, output);
        }),
        Event::TrialEnded(TrialEnded { trial, outcome, results }) => json!({
            "trial": trial.to_string(), "outcome": outcome.word(), "results": list(results, trial_result),
        }),
        _ => of_runs(event),
    }
}

fn of_runs(event: &Event) -> Value {
    match event {
        Event::AttemptLeased(leased) => attempt_leased(leased),
        Event::AttemptStarted(AttemptStarted { attempt, pid }) => {
            of_attempt(attempt, |data| data["pid"] = json!(pid))
        }
        Event::AttemptEnded(ended) => attempt_ended(ended),
        Event::RunCancelRequested(RunCancelRequested { run }) => json!({"run": run.to_string()}),
        Event::PublishIntended(PublishIntended { attempt, outputs }) => {
            of_attempt(attempt, |data| data["outputs"] = list(outputs, output))
        }
        Event::Materialized(Materialized { attempt, outputs, goes_on }) => of_attempt(attempt, |data| {
            data["outputs"] = list(outputs, output);
            data["goes_on"] = json!(goes_on);
        }),
        Event::PartitionsFailed(PartitionsFailed { attempt, partitions, message }) => {
            of_attempt(attempt, |data| {
                data["partitions"] = json!(partitions);
                data["message"] = json!(message);
            })
        }
        Event::RunEnded(RunEnded { run, canceled, message }) => {
            json!({"run": run.to_string(), "canceled": canceled, "message": message})
        }
        Event::RunSuspended(RunSuspended { run, want, inputs }) => {
            json!({"run": run.to_string(), "waits_for_want": want.to_string(), "inputs": inputs})
        }
        Event::Checked(Checked { attempt, checks }) => {
            of_attempt(attempt, |data| data["checks"] = list(checks, findings))
        }
        // Those above. A kind that is in none of these lists says nothing, which a test does not let pass.
        _ => Value::Null,
    }
}

fn of_attempt(attempt: &AttemptId, say: impl FnOnce(&mut Value)) -> Value {
    let mut data = json!({"run": attempt.run.to_string(), "attempt": attempt.to_string()});
    say(&mut data);
    data
}

fn want_created(created: &WantCreated) -> Value {
    let WantCreated {
        want,
        targets,
        asked,
        written,
        class,
        refresh,
        as_of,
        expires_at,
        due_at,
        comment,
        work,
        forced,
        successors,
        blocked: none,
        plan,
        parent,
        params,
        request,
    } = created;
    json!({
        "want": want.to_string(),
        "targets": targets,
        "asked": asked,
        "written": written,
        "class": class.word(),
        "refresh": refresh.word(),
        "as_of": as_of.to_string(),
        "expires_at": instant(*expires_at),
        "due_at": instant(*due_at),
        "comment": comment,
        "work": work,
        "forced": forced,
        "successors": successors,
        "blocked": list(none, blocked),
        "plan": plan.map(|plan| plan.to_string()),
        "parent_run": parent.map(|run| run.to_string()),
        "params": params,
        "idempotency_key": request.as_ref().map(RequestKey::said),
    })
}

fn attempt_leased(leased: &AttemptLeased) -> Value {
    let AttemptLeased { attempt, job, partition, graph, as_of, inputs: _, params, trial } = leased;
    of_attempt(attempt, |data| {
        data["job"] = json!(job);
        data["partition"] = json!(partition);
        data["graph"] = json!(graph.to_string());
        data["as_of"] = json!(as_of.to_string());
        data["params"] = json!(params);
        if let Some(arm) = trial {
            data["trial"] = json!(arm.trial.to_string());
        }
    })
}

fn attempt_ended(ended: &AttemptEnded) -> Value {
    let AttemptEnded {
        attempt,
        outcome,
        message,
        exit_code,
        wall_ms,
        cpu_ms,
        max_rss_kb,
        retry_at,
        done,
        returned,
    } = ended;
    let (output, output_base64) = returned_text(returned);
    of_attempt(attempt, |data| {
        data["outcome"] = json!(outcome.kind().word());
        if let AttemptOutcome::MissingInput { partitions } = outcome {
            data["missing"] = json!(partitions);
        }
        data["message"] = json!(message);
        data["exit_code"] = json!(exit_code);
        data["wall_ms"] = json!(wall_ms);
        data["cpu_ms"] = json!(cpu_ms);
        data["max_rss_kb"] = json!(max_rss_kb);
        data["retry_at"] = json!(instant(*retry_at));
        data["done"] = json!(done);
        data["output"] = json!(output);
        data["output_base64"] = json!(output_base64.then_some(true));
    })
}

fn plan_created(created: &PlanCreated) -> Value {
    let PlanCreated { plan, graph, targets, refresh, as_of, expires_at, rows, current, grounds: _, request } =
        created;
    json!({
        "plan": plan.to_string(),
        "graph": graph.to_string(),
        "targets": targets,
        "refresh": refresh.word(),
        "as_of": as_of.to_string(),
        "expires_at": expires_at.to_string(),
        "rows": list(rows, plan_row),
        "current": current,
        "idempotency_key": request.as_ref().map(RequestKey::said),
    })
}

fn plan_row(row: &PlanRow) -> Value {
    let PlanRow { job, kind, reason, message, count, partitions } = row;
    json!({
        "job": job, "kind": kind.word(), "reason": reason, "message": message, "count": count,
        "partitions": partitions,
    })
}

fn code_accepted(accepted: &CodeAccepted) -> Value {
    let CodeAccepted { job, partitions, from, to, reason, evidence } = accepted;
    json!({
        "job": job, "partitions": partitions, "from": list(from, digests), "to": digests(to), "reason": reason,
        "evidence": evidence,
    })
}

fn trial_created(created: &TrialCreated) -> Value {
    let TrialCreated { trial, kind, run, job, graphs, samples, as_of, keep, request } = created;
    let graph = |TrialGraph { graph, content: _, inherited }: &TrialGraph| json!({"graph": graph.to_string(), "inherited": inherited});
    json!({
        "trial": trial.to_string(),
        "kind": kind.word(),
        "run": run.map(|run| run.to_string()),
        "job": job,
        "graphs": list(graphs, graph),
        "samples": list(samples, trial_sample),
        "as_of": as_of.to_string(),
        "keep": keep,
        "idempotency_key": request.as_ref().map(RequestKey::said),
    })
}

fn trial_sample(sample: &TrialSample) -> Value {
    let TrialSample { partition, arms, discovered, expected, changed_inputs } = sample;
    let arm = |TrialArm { graph, params, digests: of }: &TrialArm| json!({"graph": graph.to_string(), "params": params, "digests": digests(of)});
    json!({
        "partition": partition, "arms": list(arms, arm), "discovered": discovered, "expected": list(expected, output),
        "changed_inputs": changed_inputs,
    })
}

fn trial_result(result: &TrialResult) -> Value {
    let TrialResult { partition, verdict, versions, bytes, runs, message } = result;
    json!({
        "partition": partition, "verdict": verdict.word(), "versions": versions, "bytes": bytes, "runs": texts(runs),
        "message": message,
    })
}

fn output(output: &OutputRecord) -> Value {
    let OutputRecord { partition, version, empty, mark: _, bytes, metadata } = output;
    json!({
        "partition": partition, "version": version, "empty": empty, "bytes": bytes, "metadata": object(metadata),
    })
}

fn seen(seen: &SeenPartition) -> Value {
    let SeenPartition { partition, version, mark: _ } = seen;
    json!({"partition": partition, "version": version})
}

fn adopted(adopted: &AdoptedPartition) -> Value {
    let AdoptedPartition { partition, version, mark: _, bytes, inputs: _ } = adopted;
    json!({"partition": partition, "version": version, "bytes": bytes})
}

fn blocked(blocked: &Blocked) -> Value {
    let Blocked { partitions, reason } = blocked;
    json!({"partitions": partitions, "reason": reason})
}

fn findings(findings: &CheckFindings) -> Value {
    let CheckFindings { check, blocking, results } = findings;
    let result = |CheckResult { partition, outcome, message, metadata }: &CheckResult| {
        json!({
            "partition": partition, "outcome": outcome.word(), "message": message, "metadata": object(metadata),
        })
    };
    json!({"check": check, "blocking": blocking, "results": list(results, result)})
}

fn digests(digests: &JobDigests) -> Value {
    let JobDigests { code, args, template } = digests;
    json!({"code": code, "args": args, "template": template})
}

fn list<T>(things: &[T], say: impl Fn(&T) -> Value) -> Value {
    things.iter().map(say).collect()
}

fn texts<T: ToString>(things: &[T]) -> Vec<String> {
    things.iter().map(ToString::to_string).collect()
}

fn instant(at: Option<Timestamp>) -> Option<String> {
    at.map(|at| at.to_string())
}

/// What a job said of its output. The log has it as text, which once was such an object.
fn object(metadata: &str) -> Value {
    serde_json::from_str(metadata).unwrap_or_else(|_| json!({}))
}
