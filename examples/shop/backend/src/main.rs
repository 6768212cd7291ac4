//! The shop's API: items in PostgreSQL, their pictures in S3, shown through signed CloudFront URLs.
//!
//! It starts before its database is available, reports that at `/api/health`, and is healthy once its table exists.

mod api;
mod database;
mod items;
mod pictures;
mod s3;
mod signed_url;

use api::Shop;
use shop_common::{ServedBy, asked_to_stop, variable_or};
use std::sync::Arc;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let port: u16 = variable_or("PORT", 8000)?;
    let log_requests = variable_or("LOG_LEVEL", "info".to_owned())? == "debug";
    let served_by = ServedBy::ask().await;
    let shop = Arc::new(Shop {
        database: database::Pool::from_environment()?,
        pictures: pictures::Pictures::from_environment()?,
        served_by,
        log_requests,
    });
    let listener = TcpListener::bind(("0.0.0.0", port)).await?;
    println!("backend on port {port}, task {} in {}", shop.served_by.task, shop.served_by.zone);
    tokio::spawn({
        let shop = shop.clone();
        async move { shop.database.prepare(items::TABLE).await }
    });
    axum::serve(listener, api::routes(shop)).with_graceful_shutdown(asked_to_stop()).await?;
    Ok(())
}
