//! The shop's page. Its script, style and pictures come from the CDN; this server adds the task and zone that served it.

use axum::{
    Router,
    http::header,
    response::{Html, IntoResponse},
    routing::get,
};
use shop_common::{ServedBy, asked_to_stop, variable_or};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port: u16 = variable_or("PORT", 3000)?;
    let served_by = ServedBy::ask().await;
    let page = include_str!("../page.html")
        .replace("{{task}}", &served_by.task)
        .replace("{{zone}}", &served_by.zone);
    let routes = Router::new()
        .route("/", get(move || async move { ([(header::CACHE_CONTROL, "no-store")], Html(page)) }))
        .route("/healthz", get(|| async { "ok" }))
        .fallback(|| async { (axum::http::StatusCode::NOT_FOUND, "There is no such page.").into_response() });
    let listener = TcpListener::bind(("0.0.0.0", port)).await?;
    println!("frontend on port {port}, task {} in {}", served_by.task, served_by.zone);
    axum::serve(listener, routes).with_graceful_shutdown(asked_to_stop()).await?;
    Ok(())
}
