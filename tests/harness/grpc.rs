//! A client of the gateway's gRPC side.

use pizza_api::proto::kitchen_service_client::KitchenServiceClient;
use pizza_api::proto::order_service_client::OrderServiceClient;
use pizza_api::proto::place_order_request::ErrorOnStep;
use pizza_api::proto::{self, GetOrderRequest, PlaceOrderRequest, PlaceOrderResponse};
use serde_json::{Value, json};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Status};

use super::world::KITCHEN_KEY;

/// A client of one gateway.
pub(crate) struct Grpc {
    pub(crate) channel: Channel,
}

impl Grpc {
    /// A client of the gateway at `url`, connected.
    pub(crate) async fn connect(url: &str) -> Self {
        let channel = Endpoint::from_shared(url.to_owned())
            .expect("a URL")
            .connect()
            .await
            .expect("a connection");
        Self { channel }
    }

    /// The same over TLS, with a certificate that this authority issued.
    pub(crate) async fn connect_trusting(url: &str, authority: &str) -> Self {
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority));
        let channel = Endpoint::from_shared(url.to_owned())
            .expect("a URL")
            .tls_config(tls)
            .expect("TLS")
            .connect()
            .await
            .expect("a connection");
        Self { channel }
    }

    /// Sends `PlaceOrder`.
    pub(crate) async fn place(
        &self,
        request: PlaceOrderRequest,
    ) -> Result<PlaceOrderResponse, Status> {
        let mut orders = OrderServiceClient::new(self.channel.clone());
        Ok(orders.place_order(request).await?.into_inner())
    }

    /// Sends `GetOrder`, and gives the order in the words of the HTTP side.
    pub(crate) async fn order(&self, id: &str) -> Result<Value, Status> {
        let request = GetOrderRequest {
            order_id: id.to_owned(),
        };
        let mut orders = OrderServiceClient::new(self.channel.clone());
        let answer = orders.get_order(request).await?.into_inner();
        Ok(in_words(answer.order.expect("an order")))
    }

    /// Sends `ReportKitchenEvent`, with a kitchen's key.
    pub(crate) async fn report(
        &self,
        ticket: &str,
        event: i32,
    ) -> Result<proto::ReportKitchenEventResponse, Status> {
        let request = proto::ReportKitchenEventRequest {
            report_id: None,
            reason: None,
            ticket_id: ticket.to_owned(),
            event,
        };
        let mut kitchen = KitchenServiceClient::new(self.channel.clone());
        let answer = kitchen.report_kitchen_event(as_kitchen(request)).await?;
        Ok(answer.into_inner())
    }
}

/// A request with a kitchen's key.
pub(crate) fn as_kitchen<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    let key = format!("Bearer {KITCHEN_KEY}");
    let key = key.parse().expect("metadata");
    request.metadata_mut().insert("authorization", key);
    request
}

/// A request for an order of a scenario, by its number.
pub(crate) fn scenario(number: u64) -> PlaceOrderRequest {
    let number = i64::try_from(number).expect("a small number");
    PlaceOrderRequest {
        error_on_step: Some(ErrorOnStep::ErrorOnStepNumber(number)),
        ..PlaceOrderRequest::default()
    }
}

/// The stable code that a refusal carries.
pub(crate) fn code_of(status: &Status) -> &str {
    status
        .metadata()
        .get("pizza-error-code")
        .map_or("", |code| code.to_str().expect("text"))
}

/// An order as the HTTP side would show it.
fn in_words(order: proto::Order) -> Value {
    let status = order.status().as_str_name();
    let money = order.money().as_str_name();
    let points = order.points().as_str_name();
    let cancelled = order.cancelled.as_ref().map(
        |reason| json!({ "step": reason.step, "code": reason.code, "message": reason.message }),
    );
    json!({
        "orderId": order.order_id,
        "status": pascal(status.trim_start_matches("ORDER_STATUS_")),
        "money": camel(money.trim_start_matches("MONEY_STATE_")),
        "points": camel(points.trim_start_matches("POINTS_STATE_")),
        "flavour": order.flavour,
        "discountApplied": format!("{}%", order.discount_percent),
        "discountReason": order.discount_reason,
        "total": order.total_minor,
        "cancelled": cancelled,
        "version": order.version,
    })
}

/// `PAYMENT_COMPLETE` as `PaymentComplete`.
fn pascal(name: &str) -> String {
    let capitalized = |word: &str| {
        let (first, rest) = word.split_at(1);
        format!("{first}{}", rest.to_lowercase())
    };
    name.split('_').map(capitalized).collect()
}

/// `NOT_CHARGED` as `notCharged`.
fn camel(name: &str) -> String {
    let pascal = pascal(name);
    let (first, rest) = pascal.split_at(1);
    first.to_lowercase() + rest
}
