"""What an agent was answered, in a file that answers it again: on another day, in another folder, without a network."""
