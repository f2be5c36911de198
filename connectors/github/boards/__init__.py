"""Project boards (Projects v2) as a source of containers: reading them, and what is known of them between two pulls."""
