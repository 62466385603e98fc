"""The target model judges a step, replaces a weak one, or writes one itself."""
