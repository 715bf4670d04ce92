//! One look at the packages of what is open, and what it found in each open file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gen_lsp_types::{Diagnostic, DiagnosticRelatedInformation};

use super::diagnostics;
use super::documents::Document;
use super::place::{Encoding, Index};
use super::uri;
use crate::cli::args::Choosing;
use crate::cli::lint::{self, Chosen};
use crate::finding::{LintFinding, Region, Severity};
use crate::lint::Report;
use crate::lint::fix::Overlay;
use crate::lint::workspace::{
    self, LoadError, MARK, Skip, SourceFile, Text, absolute, home, working_directory,
};
use crate::report::lint::{help_uri, section};

/// What is to be looked at, as it is now.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) choosing: Arc<Choosing>,
    pub(super) documents: Vec<Document>,
    pub(super) encoding: Encoding,
    /// Whether places that belong to findings are wanted.
    pub(super) related: bool,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// By URI of the document.
    pub(super) found: BTreeMap<String, Found>,
    /// What could not be read outside of the documents, in a line each.
    pub(super) issues: Vec<String>,
}

/// What was found in a document.
#[derive(Debug)]
pub(super) struct Found {
    /// The text that was looked at.
    pub(super) text: Arc<str>,
    pub(super) findings: Vec<Shown>,
    /// What is no finding, but is shown.
    pub(super) issues: Vec<Diagnostic>,
}

/// A finding and how it is shown.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) finding: LintFinding,
    pub(super) diagnostic: Diagnostic,
    /// Everything about its rule, in Markdown.
    pub(super) page: Arc<str>,
}

/// Bytes in front of the text that places are counted in.
pub(super) fn mark(text: &str) -> usize {
    if text.starts_with(MARK) { MARK.len() } else { 0 }
}

/// Looks at everything in the packages around the documents, as a run of lint does.
///
/// # Errors
/// Something is wrong with settings or baselines.
pub(super) fn look(job: &Job) -> anyhow::Result<Looked> {
    let cwd = working_directory()?;
    let mut paths = BTreeSet::new();
    let mut overlay = Overlay::new();
    for document in &job.documents {
        let file = SourceFile { path: document.path.clone(), shown: "".into(), reported: true };
        let buffer = Text::from(&*document.text).text;
        match workspace::read(&file) {
            Ok(saved) if saved.text == buffer => {}
            // What was never saved is in no package yet.
            Err(Skip::Unreadable(_)) => continue,
            _ => {
                overlay.insert(document.path.clone(), Arc::clone(&document.text));
            }
        }
        paths.insert(home(&document.path).unwrap_or_else(|| document.path.clone()));
    }
    if paths.is_empty() {
        return Ok(Looked::default());
    }
    match lint::look(&job.choosing, paths.into_iter().collect(), overlay) {
        Ok((report, chosen)) => Ok(Showing::new(job, &report, &chosen, cwd).looked()),
        // All of it is ignored.
        Err(error) if matches!(error.downcast_ref(), Some(LoadError::Nothing { .. })) => {
            Ok(Looked::default())
        }
        Err(error) => Err(error),
    }
}

/// Turns a report into what is shown.
struct Showing<'a> {
    job: &'a Job,
    report: &'a Report,
    notes: bool,
    /// Of the rules of findings: the page, and where there is more.
    rules: BTreeMap<&'a str, (Arc<str>, Option<String>)>,
    /// The folder that paths are reported from.
    cwd: PathBuf,
}

impl<'a> Showing<'a> {
    fn new(job: &'a Job, report: &'a Report, chosen: &Chosen, cwd: PathBuf) -> Self {
        let used: BTreeSet<&str> = report.findings.iter().map(|f| f.rule.as_str()).collect();
        let described = chosen.rules().into_iter().filter_map(|described| {
            let id = used.get(described.rule.id.as_str())?;
            let page = section(described.rule, &BTreeSet::new());
            Some((*id, (page.trim().into(), help_uri(described.rule).map(str::to_owned))))
        });
        let rules = described.collect();
        // What makes a run fail must be seen.
        let notes = job.choosing.notes || chosen.fails_from(Severity::Note);
        Self { job, report, notes, rules, cwd }
    }

    fn looked(&self) -> Looked {
        let of = |path: &str| self.path(path);
        let documents = &self.job.documents;
        let outside = self.report.issues.iter().filter(|issue| {
            let path = of(&issue.path);
            documents.iter().all(|document| document.path != path)
        });
        let issues = outside.map(|issue| format!("{}: {}", issue.path, issue.message)).collect();
        let found = documents.iter().map(|one| (one.uri.clone(), self.found(one)));
        Looked { found: found.collect(), issues }
    }

    fn found(&self, document: &Document) -> Found {
        let index = Index::new(&document.text, self.job.encoding);
        let findings = self.report.findings.iter().filter(|finding| {
            (self.notes || finding.severity > Severity::Note)
                && self.path(&finding.region.path) == document.path
        });
        let findings = findings.filter_map(|finding| self.shown(finding, document, &index));
        let issues = self.report.issues.iter();
        let issues = issues.filter(|issue| self.path(&issue.path) == document.path);
        Found {
            text: Arc::clone(&document.text),
            findings: findings.collect(),
            issues: issues.map(|issue| diagnostics::of_issue(issue, &index)).collect(),
        }
    }

    fn shown(
        &self,
        finding: &LintFinding,
        document: &Document,
        index: &Index<'_>,
    ) -> Option<Shown> {
        let (page, href) = self.rules.get(finding.rule.as_str())?;
        let range = index.range(bytes(&finding.region, mark(&document.text)));
        let related = if self.job.related { self.related(finding) } else { Vec::new() };
        Some(Shown {
            diagnostic: diagnostics::of_finding(finding, range, href.as_deref(), related),
            finding: finding.clone(),
            page: Arc::clone(page),
        })
    }

    /// The places that belong to a finding, as far as their texts are known.
    fn related(&self, finding: &LintFinding) -> Vec<DiagnosticRelatedInformation> {
        let related = finding.related.iter().filter_map(|related| {
            let path = self.path(&related.region.path);
            let open = self.job.documents.iter().find(|document| document.path == path);
            let read;
            let (uri, text): (String, &str) = match open {
                Some(document) => (document.uri.clone(), &document.text),
                None => {
                    read = self.text(&related.region.path, &path)?;
                    (uri::of_path(&path), &read)
                }
            };
            let index = Index::new(text, self.job.encoding);
            let range = index.range(bytes(&related.region, mark(text)));
            Some(diagnostics::related(&uri, range, &related.label))
        });
        related.collect()
    }

    /// The text of a file that is not open.
    fn text(&self, shown: &Arc<str>, path: &Path) -> Option<Arc<str>> {
        if let Some(text) = self.report.sources.get(shown) {
            return Some(Arc::clone(text));
        }
        let file = SourceFile { path: path.to_owned(), shown: Arc::clone(shown), reported: true };
        Some(workspace::read(&file).ok()?.text.into())
    }

    fn path(&self, shown: &str) -> PathBuf {
        absolute(&self.cwd, Path::new(shown))
    }
}

/// The bytes of a region in a text with `mark` bytes before what is analysed.
pub(super) fn bytes(region: &Region, mark: usize) -> (usize, usize) {
    let (from, to) = region.bytes;
    (from as usize + mark, to as usize + mark)
}
