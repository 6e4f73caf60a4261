//! `--query`: a `JMESPath` expression over the answer.
//!
//! Invariant: an expression that can't work is refused before anything is sent.
//! The crate keeps objects sorted by key; the AWS CLI keeps the order of its
//! model and of the expression, which is put back here.

use std::collections::BTreeMap;

use jmespath::ast::Ast;
use jmespath::functions::{ArgumentType, CustomFunction, Signature};
use jmespath::{Expression, JmespathError, Rcvar, Runtime, Variable};
use serde_json::{Map, Value};

use super::refusal::Refusal;

/// The model's own keys, in its order.
const MODEL: [&str; 2] = ["userId", "temporaryPassword"];

/// The name that `*` over an object is called by here; nobody can type it.
const OBJECT_VALUES: &str = "*";

/// An expression that can be evaluated.
pub(super) struct Query {
    typed: String,
    ast: Ast,
    runtime: Runtime,
    orders: Orders,
}

impl Query {
    /// Reads an expression.
    pub(super) fn parse(typed: &str) -> Result<Self, Refusal> {
        if typed.is_empty() {
            return Err(bad(typed, "Invalid JMESPath expression: cannot be empty."));
        }
        let mut ast = jmespath::parse(typed).map_err(|error| bad(typed, error))?;
        let mut orders = Orders(vec![MODEL.map(str::to_owned).to_vec()]);
        prepare(&mut ast, &mut orders);
        let mut runtime = Runtime::new();
        runtime.register_builtin_functions();
        orders.teach(&mut runtime);
        Ok(Self { typed: typed.to_owned(), ast, runtime, orders })
    }

    /// Returns what the expression makes of `answer`.
    pub(super) fn search(&self, answer: &Value) -> Result<Value, Refusal> {
        let expression = Expression::new(self.typed.as_str(), self.ast.clone(), &self.runtime);
        let found = expression.search(answer).map_err(|error| bad(&self.typed, error))?;
        Ok(self.orders.json(&found))
    }
}

fn bad(typed: &str, what: impl std::fmt::Display) -> Refusal {
    Refusal::parameters(format!("Bad value for --query {typed}: {what}"))
}

/// The orders in which objects of this expression have their keys. An object
/// is known by its keys; if two have the same, the first order counts.
#[derive(Clone)]
struct Orders(Vec<Vec<String>>);

impl Orders {
    fn keys(&self, object: &BTreeMap<String, Rcvar>) -> Vec<String> {
        let same =
            |order: &&Vec<String>| order.len() == object.len() && order.iter().all(|key| object.contains_key(key));
        self.0.iter().find(same).cloned().unwrap_or_else(|| object.keys().cloned().collect())
    }

    fn json(&self, found: &Variable) -> Value {
        match found {
            Variable::Object(object) => {
                let entry = |key: String| object.get(&key).map(|value| (key, self.json(value)));
                Value::Object(self.keys(object).into_iter().filter_map(entry).collect::<Map<_, _>>())
            }
            Variable::Array(items) => Value::Array(items.iter().map(|item| self.json(item)).collect()),
            other => serde_json::to_value(other).unwrap_or_default(),
        }
    }

    fn values(&self, object: &BTreeMap<String, Rcvar>) -> Rcvar {
        let values = self.keys(object).into_iter().filter_map(|key| object.get(&key).cloned());
        Rcvar::new(Variable::Array(values.collect()))
    }

    /// Registers the functions whose answer depends on an order.
    fn teach(&self, runtime: &mut Runtime) {
        let mut register = |name: &str, takes: ArgumentType, make: fn(&Self, &Rcvar) -> Rcvar| {
            let orders = self.clone();
            let signature = Signature::new(vec![takes], None);
            let call = move |arguments: &[Rcvar], _: &mut jmespath::Context<'_>| -> Result<Rcvar, JmespathError> {
                Ok(make(&orders, &arguments[0]))
            };
            runtime.register_function(name, Box::new(CustomFunction::new(signature, Box::new(call))));
        };
        register("keys", ArgumentType::Object, |orders, of| {
            let keys = of.as_object().map(|object| orders.keys(object)).unwrap_or_default();
            Rcvar::new(Variable::Array(keys.into_iter().map(|key| Rcvar::new(Variable::String(key))).collect()))
        });
        register("values", ArgumentType::Object, |orders, of| {
            of.as_object().map_or_else(|| Rcvar::new(Variable::Null), |object| orders.values(object))
        });
        register(OBJECT_VALUES, ArgumentType::Any, |orders, of| {
            of.as_object().map_or_else(|| Rcvar::new(Variable::Null), |object| orders.values(object))
        });
        register("to_string", ArgumentType::Any, |orders, of| match of.as_string() {
            Some(_) => of.clone(),
            None => Rcvar::new(Variable::String(orders.json(of).to_string())),
        });
    }
}

/// Collects the orders that the expression itself gives, and has `*` keep them.
fn prepare(ast: &mut Ast, orders: &mut Orders) {
    match ast {
        Ast::Identity { .. } | Ast::Field { .. } | Ast::Index { .. } | Ast::Literal { .. } | Ast::Slice { .. } => {}
        Ast::Expref { ast: inner, .. } | Ast::Flatten { node: inner, .. } | Ast::Not { node: inner, .. } => {
            prepare(inner, orders);
        }
        Ast::ObjectValues { offset, node } => {
            prepare(node, orders);
            let argument = std::mem::replace(&mut **node, Ast::Identity { offset: *offset });
            *ast = Ast::Function { offset: *offset, name: OBJECT_VALUES.into(), args: vec![argument] };
        }
        Ast::Function { args, .. } => args.iter_mut().for_each(|argument| prepare(argument, orders)),
        Ast::MultiList { elements, .. } => elements.iter_mut().for_each(|element| prepare(element, orders)),
        Ast::MultiHash { elements, .. } => {
            let mut order: Vec<String> = Vec::new();
            for pair in elements.iter_mut() {
                if !order.contains(&pair.key) {
                    order.push(pair.key.clone());
                }
                prepare(&mut pair.value, orders);
            }
            orders.0.push(order);
        }
        Ast::Comparison { lhs, rhs, .. }
        | Ast::Projection { lhs, rhs, .. }
        | Ast::And { lhs, rhs, .. }
        | Ast::Or { lhs, rhs, .. }
        | Ast::Subexpr { lhs, rhs, .. }
        | Ast::Condition { predicate: lhs, then: rhs, .. } => {
            prepare(lhs, orders);
            prepare(rhs, orders);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(query: &str) -> String {
        let answer = serde_json::json!({ "userId": "u", "temporaryPassword": "p" });
        match Query::parse(query).and_then(|query| query.search(&answer)) {
            Ok(value) => value.to_string(),
            Err(refusal) => refusal.to_string().lines().next().unwrap_or_default().to_owned(),
        }
    }

    #[test]
    fn the_order_is_the_models_and_the_expressions() {
        for (query, expected) in [
            ("@", r#"{"userId":"u","temporaryPassword":"p"}"#),
            ("{b:userId,a:temporaryPassword}", r#"{"b":"u","a":"p"}"#),
            ("{x:@,a:userId}", r#"{"x":{"userId":"u","temporaryPassword":"p"},"a":"u"}"#),
            ("[{b:userId,a:userId}]", r#"[{"b":"u","a":"u"}]"#),
            ("*", r#"["u","p"]"#),
            ("values(@)", r#"["u","p"]"#),
            ("keys(@)", r#"["userId","temporaryPassword"]"#),
            ("userId.*", "null"),
            ("*.length(@)", "[1,1]"),
            ("to_string(@)", r#""{\"userId\":\"u\",\"temporaryPassword\":\"p\"}""#),
            ("nope", "null"),
            ("`1.5`", "1.5"),
            ("length(userId)", "1"),
        ] {
            assert_eq!(found(query), expected, "{query}");
        }
        assert!(found("a[[").starts_with("Bad value for --query a[[: "));
        assert!(found("nope(@)").starts_with("Bad value for --query nope(@): "));
        assert!(found("keys(userId)").starts_with("Bad value for --query "));
    }
}
