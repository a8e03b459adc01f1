//! The peers: the same steps that do nothing, as their users write them.

use std::sync::Arc;

use oxide_update_engine::types::buffer::EventBuffer;
use oxide_update_engine::types::spec::EngineSpec;
use oxide_update_engine::{StepSuccess, UpdateEngine, channel};
use slog::{Discard, Logger, o};
use steno::{ActionContext, ActionError, ActionRegistry, DagBuilder, Node, SagaDag, SagaId, SagaName, SagaType};

/// What an update engine of ours would be made of.
#[derive(Debug)]
pub(crate) enum Idle {}

impl EngineSpec for Idle {
    fn spec_name() -> String {
        "idle".to_owned()
    }

    type Component = ();
    type StepId = u32;
    type StepMetadata = ();
    type ProgressMetadata = ();
    type CompletionMetadata = ();
    type SkippedMetadata = ();
    type Error = anyhow::Error;
}

/// Steps of `oxide-update-engine`, with all events read into its buffer.
pub(crate) async fn update_engine(steps: u32) -> EventBuffer<Idle> {
    let (sender, mut events) = channel::<Idle>();
    let engine = UpdateEngine::new(&Logger::root(Discard, o!()), sender);
    for step in 0..steps {
        engine.new_step((), step, "Nothing", |_| async { StepSuccess::new(()).into() }).register();
    }
    let mut buffer = EventBuffer::default();
    let reading = async {
        while let Some(event) = events.recv().await {
            buffer.add_event(event);
        }
    };
    let (ended, ()) = tokio::join!(engine.execute(), reading);
    ended.expect("no step fails");
    buffer
}

#[derive(Debug)]
struct IdleSaga;

impl SagaType for IdleSaga {
    type ExecContextType = ();
}

async fn nothing(_: ActionContext<IdleSaga>) -> Result<(), ActionError> {
    Ok(())
}

/// Actions of a `steno` saga, with its log in memory.
pub(crate) async fn saga(steps: u32) -> steno::SagaResult {
    let action = steno::new_action_noop_undo("nothing", nothing);
    let mut registry = ActionRegistry::new();
    registry.register(action.clone());
    let mut dag = DagBuilder::new(SagaName::new("idle"));
    for step in 0..steps {
        dag.append(Node::action(step.to_string(), "Nothing", action.as_ref()));
    }
    let dag = SagaDag::new(dag.build().expect("a chain is a saga"), serde_json::Value::Null);

    let sec = steno::sec(Logger::root(Discard, o!()), Arc::new(steno::InMemorySecStore::new()));
    let id = SagaId::new_v4();
    let ended = sec.saga_create(id, Arc::new(()), Arc::new(dag), Arc::new(registry)).await.expect("it is created");
    sec.saga_start(id).await.expect("it starts");
    let result = ended.await;
    assert!(result.kind.is_ok(), "no action fails");
    sec.shutdown().await;
    result
}
