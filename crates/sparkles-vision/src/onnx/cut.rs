//! A graph without what is not needed for some of its values.

use std::collections::{HashMap, HashSet};

use super::builder::float;
use super::file::OnnxFile;
use super::proto::{Node, ValueInfo};
use crate::error::OnnxError;

impl OnnxFile {
    /// Keeps what makes the values `outputs`, in that order, and nothing else.
    pub fn cut(&mut self, outputs: &[&str]) -> Result<(), OnnxError> {
        let graph = self.graph()?;
        let makers: HashMap<&str, usize> = graph
            .node
            .iter()
            .enumerate()
            .flat_map(|(at, node)| node.output.iter().map(move |name| (name.as_str(), at)))
            .filter(|(name, _)| !name.is_empty())
            .collect();
        for name in outputs {
            if !makers.contains_key(name) {
                return Err(OnnxError::NoSuchValue {
                    name: (*name).to_owned(),
                    closest: closest(name, makers.keys().copied()),
                });
            }
        }
        // Backwards from the outputs.
        let mut pending: Vec<&str> = outputs.to_vec();
        let mut values: HashSet<&str> = HashSet::new();
        let mut nodes = vec![false; graph.node.len()];
        while let Some(name) = pending.pop() {
            if !values.insert(name) {
                continue;
            }
            let Some(&at) = makers.get(name) else {
                continue;
            };
            let (Some(is_kept), Some(node)) = (nodes.get_mut(at), graph.node.get(at)) else {
                continue;
            };
            if !std::mem::replace(is_kept, true) {
                uses(node, &mut pending);
            }
        }
        let values: HashSet<String> = values.into_iter().map(str::to_owned).collect();
        let known: HashMap<String, ValueInfo> = graph
            .output
            .iter()
            .chain(&graph.value_info)
            .map(|info| (info.name.clone(), info.clone()))
            .collect();
        let Some(graph) = &mut self.model.graph else {
            return Ok(());
        };
        let mut is_kept = nodes.into_iter();
        graph.node.retain(|_| is_kept.next().unwrap_or(false));
        graph
            .initializer
            .retain(|tensor| values.contains(&tensor.name));
        graph.input.retain(|input| values.contains(&input.name));
        graph.value_info.retain(|info| values.contains(&info.name));
        graph.output = outputs
            .iter()
            .map(|name| known.get(*name).cloned().unwrap_or_else(|| float(name)))
            .collect();
        Ok(())
    }
}

/// The values that a node uses, those of graphs inside it too.
fn uses<'a>(node: &'a Node, names: &mut Vec<&'a str>) {
    names.extend(node.input.iter().map(String::as_str));
    for attribute in &node.attribute {
        for graph in attribute.g.as_deref().into_iter().chain(&attribute.graphs) {
            for node in &graph.node {
                uses(node, names);
            }
            names.extend(graph.output.iter().map(|output| output.name.as_str()));
        }
    }
}

/// The three names that share the longest beginning or end with `name`.
fn closest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let shared = |other: &str| {
        let same = |pair: &(char, char)| pair.0 == pair.1;
        let start = name.chars().zip(other.chars()).take_while(same).count();
        let end = name.chars().rev().zip(other.chars().rev()).take_while(same);
        start.max(end.count())
    };
    let mut names: Vec<(usize, &str)> = names.map(|other| (shared(other), other)).collect();
    names.retain(|(shared, _)| *shared > 0);
    names.sort_by(|a, b| {
        b.0.cmp(&a.0)
            .then(a.1.len().cmp(&b.1.len()))
            .then(a.1.cmp(b.1))
    });
    names.truncate(3);
    names.into_iter().map(|(_, name)| name.to_owned()).collect()
}
