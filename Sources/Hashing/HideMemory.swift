import COpenSSL

/// Keeps secrets in this process's memory: no tracing by others of its user, no core files (THREATS.md
/// section 13).
///
/// - Returns: Whether both are now so. The gate must not serve otherwise.
package func hideMemory() -> Bool { cs_hide_memory() == 0 }

/// Whether ``hideMemory()`` is in force.
package var memoryIsHidden: Bool { cs_memory_is_hidden() == 1 }
