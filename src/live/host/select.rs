//! TEMP
use crate::live::target::{Process, Target};
use crate::live::facts::*;
#[derive(Debug)]
pub enum Selector { Pid(u32) }
impl std::str::FromStr for Selector { type Err=String; fn from_str(s:&str)->Result<Self,String>{ s.parse().map(Selector::Pid).map_err(|_|"bad".to_owned()) } }
#[derive(Debug, thiserror::Error)]
pub enum SelectError { #[error("ambiguous")] Ambiguous{candidates:Vec<Candidate>}, #[error("{0}")] Other(String) }
#[derive(Debug)]
pub struct Candidate { pub pid:u32, pub started:String, pub user:String, pub command:String }
impl SelectError { pub fn is_usage(&self)->bool{ false } }
pub fn resolve(s:&[Selector])->Result<Vec<Target>,SelectError>{
 s.iter().enumerate().map(|(i,Selector::Pid(p))| Ok(Target{id:TargetId(i as u32),facts:TargetFacts{name:p.to_string(),pids:vec![*p],uptime_ms:Some(3_000_000),..Default::default()},processes:vec![Process::open(*p).map_err(|e|SelectError::Other(e.to_string()))?]})).collect()
}
