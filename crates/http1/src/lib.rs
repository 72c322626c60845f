//! Room http1.
