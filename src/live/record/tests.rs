//! Round trips and hostile input over the whole of recording.
