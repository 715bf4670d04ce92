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
use crate::lint::fix::Overlay;
use crate::lint::workspace::{
    self, LoadError, MARK, SourceFile, Text, absolute, home, working_directory,
};
use crate::lint::{Issue, Report};
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
        // What was never saved is in no package yet, and a pipe would be waited for.
        if !file.path.is_file() {
            continue;
        }
        let buffer = Text::from(&*document.text).text;
        if workspace::read(&file).is_ok_and(|saved| saved.text != buffer) {
            overlay.insert(document.path.clone(), Arc::clone(&document.text));
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
    /// Of the rules of findings: the page, and where there is more.
    rules: BTreeMap<&'a str, (Arc<str>, Option<String>)>,
    /// By path.
    findings: BTreeMap<PathBuf, Vec<&'a LintFinding>>,
    /// By path.
    issues: BTreeMap<PathBuf, Vec<&'a Issue>>,
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
        let (mut findings, mut issues) = (BTreeMap::new(), BTreeMap::new());
        let path = |shown: &str| absolute(&cwd, Path::new(shown));
        let shown = report.findings.iter().filter(|f| notes || f.severity > Severity::Note);
        for finding in shown {
            let of_file: &mut Vec<_> = findings.entry(path(&finding.region.path)).or_default();
            of_file.push(finding);
        }
        for issue in &report.issues {
            let of_file: &mut Vec<_> = issues.entry(path(&issue.path)).or_default();
            of_file.push(issue);
        }
        Self { job, report, rules, findings, issues, cwd }
    }

    fn looked(&self) -> Looked {
        let documents = &self.job.documents;
        let is_open = |path: &PathBuf| documents.iter().any(|document| document.path == *path);
        let outside = self.issues.iter().filter(|(path, _)| !is_open(path));
        let issues = outside.flat_map(|(_, issues)| issues);
        Looked {
            found: documents.iter().map(|one| (one.uri.clone(), self.found(one))).collect(),
            issues: issues.map(|issue| format!("{}: {}", issue.path, issue.message)).collect(),
        }
    }

    fn found(&self, document: &Document) -> Found {
        let index = Index::new(&document.text, self.job.encoding);
        let findings = self.findings.get(&document.path).into_iter().flatten();
        let issues = self.issues.get(&document.path).into_iter().flatten();
        Found {
            text: Arc::clone(&document.text),
            findings: findings.filter_map(|one| self.shown(one, document, &index)).collect(),
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
