//! Loading real trees from temporary folders.
