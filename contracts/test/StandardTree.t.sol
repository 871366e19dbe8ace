// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {vm} from "./Vm.sol";

/// @notice The vectors that the off-chain trees are tested against, judged by the on-chain verifier.
contract StandardTreeTest {
    uint256 private constant TREES = 7;

    string private vectors;

    function setUp() public {
        vectors = vm.readFile("contracts/test/vectors/standard_v1.json");
    }

    function test_EveryVectorVerifies() public view {
        for (uint256 tree = 0; tree < TREES; ++tree) {
            uint256 size = vm.parseJsonUint(vectors, _key(tree, ".size"));
            for (uint256 entry = 0; entry < size; ++entry) {
                (bytes32 root, bytes32 value, bytes32[] memory path) = _entry(tree, entry);
                bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(value))));
                require(leaf == vm.parseJsonBytes32(vectors, _entryKey(tree, entry, ".leaf")), "leaf differs");
                require(MerkleProof.verify(path, root, leaf), "a vector does not verify");
            }
        }
    }

    function testFuzz_ChangedValueDoesNotVerify(uint256 tree, uint256 entry, bytes32 mask) public view {
        vm.assume(mask != bytes32(0));
        tree %= TREES;
        entry %= vm.parseJsonUint(vectors, _key(tree, ".size"));
        (bytes32 root, bytes32 value, bytes32[] memory path) = _entry(tree, entry);
        bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(value ^ mask))));
        require(!MerkleProof.verify(path, root, leaf), "a changed value verifies");
    }

    function testFuzz_ChangedPathDoesNotVerify(uint256 tree, uint256 entry, uint256 element, bytes32 mask) public view {
        vm.assume(mask != bytes32(0));
        tree = 1 + tree % (TREES - 1); // the first tree has one leaf and no path
        entry %= vm.parseJsonUint(vectors, _key(tree, ".size"));
        (bytes32 root, bytes32 value, bytes32[] memory path) = _entry(tree, entry);
        element %= path.length;
        path[element] ^= mask;
        bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(value))));
        require(!MerkleProof.verify(path, root, leaf), "a changed path verifies");
    }

    function _entry(uint256 tree, uint256 entry)
        private
        view
        returns (bytes32 root, bytes32 value, bytes32[] memory path)
    {
        root = vm.parseJsonBytes32(vectors, _key(tree, ".root"));
        value = vm.parseJsonBytes32(vectors, _entryKey(tree, entry, ".value"));
        path = vm.parseJsonBytes32Array(vectors, _entryKey(tree, entry, ".path"));
    }

    function _entryKey(uint256 tree, uint256 entry, string memory suffix) private pure returns (string memory) {
        return _key(tree, string.concat(".entries[", vm.toString(entry), "]", suffix));
    }

    function _key(uint256 tree, string memory suffix) private pure returns (string memory) {
        return string.concat(".trees[", vm.toString(tree), "]", suffix);
    }
}
