// Reads a compressed stream with the crate jetstream-oxide, which carries the dictionary of v1, as its README does it.
// Usage: foreign-client URL EVENTS. Of each event a line on standard output: time_us and DID.
use jetstream_oxide::{
    events::{commit::CommitEvent, JetstreamEvent},
    JetstreamCompression, JetstreamConfig, JetstreamConnector,
};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let endpoint = arguments.next().expect("URL");
    let count: usize = arguments.next().and_then(|text| text.parse().ok()).expect("EVENTS");
    let config = JetstreamConfig {
        endpoint,
        compression: JetstreamCompression::Zstd,
        ..Default::default()
    };
    let receiver = JetstreamConnector::new(config).unwrap().connect().await.unwrap();
    for _ in 0..count {
        let event = receiver.recv_async().await.unwrap();
        let info = match event {
            JetstreamEvent::Commit(CommitEvent::Create { info, .. }) => info,
            JetstreamEvent::Commit(CommitEvent::Update { info, .. }) => info,
            JetstreamEvent::Commit(CommitEvent::Delete { info, .. }) => info,
            JetstreamEvent::Identity(identity) => identity.info,
            JetstreamEvent::Account(account) => account.info,
        };
        println!("{} {}", info.time_us, info.did.as_str());
    }
}
