//! Memory: sizes as people write them, a budget that threads share, the peak.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// A number of bytes, written `512MiB`, `1.5GiB`, `2GB` or `100000000`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MemorySize(pub u64);

const UNITS: [(&str, u64); 9] = [
    ("tib", 1 << 40),
    ("gib", 1 << 30),
    ("mib", 1 << 20),
    ("kib", 1 << 10),
    ("tb", 1_000_000_000_000),
    ("gb", 1_000_000_000),
    ("mb", 1_000_000),
    ("kb", 1_000),
    ("b", 1),
];

impl FromStr for MemorySize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let lower = text.trim().to_ascii_lowercase();
        let (number, factor) = UNITS
            .iter()
            .find_map(|(unit, factor)| Some((lower.strip_suffix(unit)?, *factor)))
            .unwrap_or((lower.as_str(), 1));
        let number: f64 = number
            .trim()
            .parse()
            .map_err(|_| format!("`{text}` is no size, expected one such as 512MiB or 1.5GiB"))?;
        let bytes = number * factor as f64;
        if !(1.0..=1e18).contains(&bytes) {
            return Err(format!(
                "`{text}` is out of range, expected 1 byte to 1000000TB"
            ));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the range was checked"
        )]
        Ok(Self(bytes as u64))
    }
}

impl fmt::Display for MemorySize {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, factor) = match self.0 {
            bytes if bytes >= 1 << 30 => ("GiB", 1u64 << 30),
            bytes if bytes >= 1 << 20 => ("MiB", 1 << 20),
            bytes if bytes >= 1 << 10 => ("KiB", 1 << 10),
            _ => ("B", 1),
        };
        let value = self.0 as f64 / factor as f64;
        if value >= 100.0 || value.fract() < 0.05 {
            write!(formatter, "{value:.0} {unit}")
        } else {
            write!(formatter, "{value:.1} {unit}")
        }
    }
}

/// Bytes that several threads draw from and give back.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    shared: Arc<(Mutex<u64>, Condvar)>,
    total: u64,
}

/// Bytes that were drawn; dropping gives them back.
#[derive(Debug)]
pub(crate) struct Grant {
    budget: Budget,
    bytes: u64,
}

impl Budget {
    pub(crate) fn new(total: u64) -> Self {
        Self {
            shared: Arc::new((Mutex::new(total), Condvar::new())),
            total,
        }
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Waits until `bytes` are free; `None` if there are never that many.
    pub(crate) fn acquire(&self, bytes: u64) -> Option<Grant> {
        if bytes > self.total {
            return None;
        }
        let (free, freed) = &*self.shared;
        let mut free = free.lock().unwrap_or_else(PoisonError::into_inner);
        while *free < bytes {
            free = freed.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
        *free -= bytes;
        Some(self.grant(bytes))
    }

    /// Draws `bytes` if they are free now.
    pub(crate) fn try_acquire(&self, bytes: u64) -> Option<Grant> {
        let mut free = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        *free = free.checked_sub(bytes)?;
        drop(free);
        Some(self.grant(bytes))
    }

    fn grant(&self, bytes: u64) -> Grant {
        Grant {
            budget: self.clone(),
            bytes,
        }
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        let (free, freed) = &*self.budget.shared;
        *free.lock().unwrap_or_else(PoisonError::into_inner) += self.bytes;
        freed.notify_all();
    }
}

/// The most memory that this process has held so far, where the system says
/// (`VmHWM` of Linux).
pub fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    #[test]
    fn sizes_are_read_and_written() {
        for (text, bytes, shown) in [
            ("1GiB", 1 << 30, "1 GiB"),
            ("1.5gib", 3 << 29, "1.5 GiB"),
            ("250 MB", 250_000_000, "238 MiB"),
            ("4096", 4096, "4 KiB"),
        ] {
            let size: MemorySize = text.parse().unwrap();
            assert_eq!(size.0, bytes, "{text}");
            assert_eq!(size.to_string(), shown);
        }
        for text in ["", "GiB", "-1MiB", "nan", "1e30TB", "ten"] {
            assert!(text.parse::<MemorySize>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_budget_is_given_back() {
        let budget = Budget::new(10);
        let grant = budget.acquire(7).unwrap();
        assert!(budget.try_acquire(4).is_none());
        assert!(budget.acquire(11).is_none());
        drop(grant);
        assert!(budget.try_acquire(10).is_some());
    }
}
