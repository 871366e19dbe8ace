// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";

/// @title Records in which block a Merkle root was first seen.
/// @notice A root says that the leaves under it existed no later than its block. It is written once and stays: there
/// is no way to overwrite, move or remove one, for any role, so that nobody can backdate a root or make one vanish.
/// @dev Not upgradeable. Leaves and inner nodes are hashed as OpenZeppelin's standard-v1 trees, off chain.
contract MerkleAnchor is AccessControl, Pausable {
    /// @notice May anchor roots.
    bytes32 public constant ANCHORER_ROLE = keccak256("ANCHORER_ROLE");

    /// @notice May stop and resume anchoring, e.g. while an anchorer's key is being replaced.
    bytes32 public constant PAUSER_ROLE = keccak256("PAUSER_ROLE");

    mapping(bytes32 root => uint256 blockNumber) private _blockNumbers;

    /// @notice `root` was anchored in the block of this log.
    event RootAnchored(bytes32 indexed root, address indexed anchorer);

    /// @notice The zero root: `anchoredAt` could not tell it from an uninitialised slot of a caller.
    error MerkleAnchorInvalidRoot(bytes32 root);

    /// @notice `root` is on record since `blockNumber`, and the first block is the one that proves something.
    error MerkleAnchorAlreadyAnchored(bytes32 root, uint256 blockNumber);

    /// @notice Without an admin no key could ever be replaced.
    error MerkleAnchorInvalidAdmin(address admin);

    /// @notice Nobody holds the key of the zero address.
    error MerkleAnchorInvalidAnchorer(address anchorer);

    /// @param admin grants and revokes roles, and may pause.
    /// @param anchorer may anchor.
    /// @dev Both are arguments because a CREATE2 factory, not the owner, is the sender of a deployment.
    constructor(address admin, address anchorer) {
        if (admin == address(0)) revert MerkleAnchorInvalidAdmin(admin);
        if (anchorer == address(0)) revert MerkleAnchorInvalidAnchorer(anchorer);
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(PAUSER_ROLE, admin);
        _grantRole(ANCHORER_ROLE, anchorer);
    }

    /// @notice Anchors `root` in this block.
    /// @dev Refuses a root that is anchored: a sender that repeats itself after a crash learns the block from the error
    /// and cannot move the root to a later one.
    function anchor(bytes32 root) external onlyRole(ANCHORER_ROLE) whenNotPaused {
        if (root == bytes32(0)) revert MerkleAnchorInvalidRoot(root);
        uint256 blockNumber = _blockNumbers[root];
        if (blockNumber != 0) revert MerkleAnchorAlreadyAnchored(root, blockNumber);
        _blockNumbers[root] = block.number;
        emit RootAnchored(root, _msgSender());
    }

    /// @notice Stops anchoring; what is anchored stays readable.
    function pause() external onlyRole(PAUSER_ROLE) {
        _pause();
    }

    /// @notice Resumes anchoring.
    function unpause() external onlyRole(PAUSER_ROLE) {
        _unpause();
    }

    /// @notice The block in which `root` was anchored, zero where it was not.
    function anchoredAt(bytes32 root) external view returns (uint256 blockNumber) {
        return _blockNumbers[root];
    }
}
