// Filled by this room's first commit.
